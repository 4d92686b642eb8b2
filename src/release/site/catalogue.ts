import { createHash } from 'node:crypto';
import semver from 'semver';
import { catalogueMark } from '../../contract/catalogue-mark.ts';
import type { Manifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { sizeOnDisk } from '../../contract/wanted-weights.ts';
import { plural } from '../../core/format.ts';
import { Html, html } from '../../core/html.ts';
import { shortened } from '../../core/printable.ts';
import { configuredKinds, fileUrl } from '../addresses.ts';
import { bundleName } from '../documents/client-bundle.ts';
import { downloadCommand, installCommand, type ReleaseOfModels } from '../documents/install-commands.ts';
import { checkCommands, isSigned } from '../documents/notes-for-users.ts';
import { checksumsName } from '../documents/write-checksums.ts';
import type { WrittenManifest } from '../documents/write-manifest.ts';
import { copyScript } from './copy-script.ts';
import { modelRows } from './model-rows.ts';
import { style } from './style.ts';

/**
 * The catalogue of a release: one page for people, of what its manifest says and the addresses that
 * release.json names. It asks nobody for anything, needs no script, and its policy allows none but
 * its own. The same manifest makes the same bytes.
 */
export function composeCatalogue(
  releaseConfig: ReleaseConfig,
  { manifest, sha256 }: Pick<WrittenManifest, 'manifest' | 'sha256'>,
): string {
  // The keys of the release, which release.json may have changed since.
  const config = { ...releaseConfig, signing: { ...releaseConfig.signing, ...manifest.signing } };
  const { release: tag = '', namespace = config.namespace, models, yanked = [] } = manifest;
  const entries = Object.entries(models);
  const release: ReleaseOfModels = {
    tag,
    prerelease: semver.prerelease(tag.slice(config.tag_prefix.length)) !== null,
    models: entries.map(([name]) => ({ name })),
  };
  const shared = {
    tag,
    yanked,
    largestBytes: Math.max(0, ...entries.map(([, entry]) => sizeOnDisk(entry, ['default']))),
    install: (name: string) => installCommand(name, release),
  };
  const manifestUrl = fileUrl(config, configuredKinds(config)[0] ?? 'mirror', tag, 'manifest.json');
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${new Html(catalogueMark)}
<title>${namespace} embedding models: ${tag}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header><h1>${namespace} embedding models</h1>
<p>${facts(config, manifest, tag)}</p></header>
<main>
<section aria-labelledby="install"><h2 id="install">Install</h2>
<p>The client is one file, <a href="${bundleName}">${bundleName}</a>, for Node 20.19 or newer. It checks every byte that it installs.${isSigned(config) && html` Before its first run, <a href="#check">check it</a>.`}</p>
<pre>${downloadCommand(config, release, bundleName)}</pre>
<pre>${shared.install(entries[0]?.[0] ?? 'NAME')}</pre></section>
<section aria-labelledby="models"><h2 id="models">Models</h2>
<p>Vectors can be compared only within one space. Versions with the same letter, colour and pattern are in the same space of that model (<b>?</b>: not known); at <span class="rebuild">rebuild</span> it changes, and an index must be rebuilt. Sizes are those of an installed model, drawn to scale; by planes and patches the client fetches less. Reference vectors are for <code>check-vectors</code>: whether a model does in your program what it should.</p>
<table>
<thead><tr><th scope="col">Model</th><th scope="col">Vectors</th><th scope="col">Size</th><th scope="col">Licence</th></tr></thead>
${entries.map(([name, entry]) => modelRows(name, entry, shared))}</table></section>
${yanked.length > 0 && withdrawals(yanked)}<section aria-labelledby="check"><h2 id="check">Check</h2>
${checking(config, release)}</section>
</main>
<footer><p>Made from <a href="${manifestUrl}">manifest.json</a> of ${tag}, sha256 <code>${sha256}</code></p></footer>
<script>${new Html(copyScript)}</script>
</body>
</html>
`.text;
}

/** The policy of the page's own head: its one style, its one script, nothing from anywhere. */
const policy = [
  "default-src 'none'",
  `style-src '${sourceDigest(style)}'`,
  `script-src '${sourceDigest(copyScript)}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** As a policy names an inline script or style. [CSP3, hash-source] */
function sourceDigest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function facts(config: ReleaseConfig, manifest: Manifest, tag: string): string {
  const { models, generated_at: made, expires_at: expires } = manifest;
  return [
    `Release ${tag}${made === undefined ? '' : ` of ${made.slice(0, 10)}`}`,
    plural(Object.keys(models).length, 'model'),
    isSigned(config) ? 'signed' : 'not signed',
    ...(expires === undefined ? [] : [`clients take updates from it until ${expires.slice(0, 10)}`]),
  ].join(' · ');
}

function withdrawals(yanked: NonNullable<Manifest['yanked']>): Html {
  const items = yanked.map(
    ({ model, version, reason }) => html`<li><strong>${model} ${version}</strong>: ${shortened(reason)}</li>\n`,
  );
  return html`<section aria-labelledby="withdrawn"><h2 id="withdrawn">Withdrawn versions</h2>
<p>Do not use these. The client warns where one is installed, and updates it.</p>
<ul>
${items}</ul></section>
`;
}

function checking(config: ReleaseConfig, release: ReleaseOfModels): Html {
  const commands = checkCommands(config, release).flatMap((command) => command.split('\n'));
  const signed = html`<p><code>minisign</code> must print <code>release:${release.tag}</code>. Compare the key with one from another place: whoever can exchange the files can exchange this page too.</p>
`;
  return html`<p>The client checks what it installs by itself. To check <code>${bundleName}</code>, or files that you downloaded by hand, in their directory:</p>
<pre>${new Html(commands.map((line) => html`${line}`.text).join('\n'))}</pre>
${isSigned(config) && signed}<p><code>${checksumsName}</code> lists what was made in ${release.tag}; models of an earlier release are in that one's.</p>
`;
}
