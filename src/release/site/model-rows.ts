import { hostKinds } from '../../contract/fields.ts';
import type { Manifest, ManifestModel, ManifestWeights } from '../../contract/manifest.ts';
import { sizeOnDisk } from '../../contract/wanted-weights.ts';
import { formatBytes } from '../../core/format.ts';
import { type Html, type HtmlPart, html } from '../../core/html.ts';
import { shortened } from '../../core/printable.ts';
import { versionStrip } from './version-strip.ts';

/** What the rows of all models share. */
export interface Shared {
  /** The release that the page is of. */
  readonly tag: string;
  readonly yanked: NonNullable<Manifest['yanked']>;
  /** On disk, of the model that has most of them. */
  readonly largestBytes: number;
  /** The command that installs a model. */
  readonly install: (name: string) => string;
}

/** A model in the table: the row of facts, and below it its history and what is folded away. */
export function modelRows(name: string, entry: ManifestModel, shared: Shared): Html {
  const withdrawn = new Set(shared.yanked.filter(({ model }) => model === name).map(({ version }) => version));
  const isWithdrawn = withdrawn.has(entry.version) && html` <em>withdrawn</em>`;
  const size = sizeOnDisk(entry, ['default']);
  return html`<tbody id="m-${name}">
<tr><th scope="row"><a href="#m-${name}">${name}</a> <small>${entry.version}</small>${isWithdrawn}</th>
<td>${vectors(entry)}</td>
<td>${formatBytes(size)}${bar(size, shared.largestBytes)}${encodingsOf(entry)}</td>
<td>${licence(entry)}</td></tr>
<tr><td colspan="4">${versionStrip(entry, withdrawn)}
<details><summary>${name}: install, facts</summary>
<pre>${shared.install(name)}</pre>${changes(entry)}${renditions(entry)}
<dl>${facts(entry, shared.tag).map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl></details></td></tr></tbody>
`;
}

function vectors({ embedding = {}, reference }: ManifestModel): Html {
  const { kind = 'dense', dimensions, max_tokens: tokens } = embedding;
  const what = dimensions ? `${dimensions} dimensions` : kind === 'dense' ? 'not told' : '';
  const more = [tokens && `${tokens} tokens`, reference && 'reference vectors'].filter(Boolean);
  return html`${kind !== 'dense' && `${shortened(kind)} `}${what}${more.length > 0 && html` <small>${more.join(', ')}</small>`}`;
}

/** The sizes of encodings: how much each saves depends on what is installed. */
function encodingsOf({ encodings = [] }: ManifestModel): Html | false {
  const told = encodings.map(({ from, size_bytes: size }) => {
    return `${from === undefined ? 'planes' : `patch from ${from}`} ${formatBytes(size)}`;
  });
  return told.length > 0 && html`<small>${listed(told)}</small>`;
}

function licence({ license = 'not told', commercial_use: commercial }: ManifestModel): Html {
  return html`${shortened(license)}${commercial === false && html` <em>not commercial</em>`}`;
}

/** To scale. SVG, since the page's policy forbids style attributes. */
function bar(size: number, largest: number): Html {
  const percent = Math.max(0.5, Math.round((size / Math.max(largest, 1)) * 1000) / 10);
  return html`<svg aria-hidden="true"><rect width="${percent}%"/></svg>`;
}

function changes({ version, changes: told }: ManifestModel): Html | false {
  return told !== undefined && html`<p>${version}: ${shortened(told)}</p>`;
}

/** What weights there are, where there is a choice. */
function renditions({ weights = [], embedding }: ManifestModel): Html | false {
  if (weights.length < 2) return false;
  const largest = Math.max(...weights.map(({ size_bytes: size }) => size));
  const whose = ({ default: isDefault, space }: ManifestWeights): string => {
    if (isDefault) return 'default';
    return space === embedding?.space ? 'same space' : 'own space';
  };
  const items = weights.map(
    (one) =>
      html`<li>${one.path} <small>${dtypesOf(one)}, ${whose(one)}</small> ${formatBytes(one.size_bytes)}${bar(one.size_bytes, largest)}</li>`,
  );
  return html`<p><code>--weights</code>:</p><ul>${items}</ul>`;
}

type Fact = readonly [term: string, value: HtmlPart];

function facts(entry: ManifestModel, tag: string): readonly Fact[] {
  const { embedding = {}, tensors, source, quality_score: quality } = entry;
  const { pooling, normalized, similarity, prompts = {} } = embedding;
  const norm = normalized ? 'normalised' : normalized === false ? 'not normalised' : undefined;
  const carried = entry.release !== undefined && entry.release !== tag && ` of ${entry.release}`;
  const all: readonly Fact[] = [
    ['Vectors', listed([pooling && `${pooling} pooling`, norm, similarity])],
    ['Prompts', listed(Object.keys(prompts))],
    ['Space', embedding.space?.slice(0, 12)],
    ['Parameters', tensors && `${tensors.parameters.toLocaleString('en')}, ${dtypesOf(tensors)}`],
    ['Quality', quality !== undefined && `${quality} of 100`],
    ['Code', entry.allow_code && 'runs code of its own'],
    ['Source', source && `${shortened(source.huggingface)} at ${source.revision.slice(0, 12)}`],
    ['Archive', html`${formatBytes(entry.size_bytes)}${carried}: ${hostLinks(entry)}; sha256 ${entry.sha256}`],
  ];
  return all.filter(([, value]) => value !== undefined && value !== false && value !== '');
}

function listed(texts: readonly (string | null | undefined)[]): string {
  return shortened(texts.filter(Boolean).join(', '));
}

function dtypesOf({ dtypes }: { readonly dtypes: Readonly<Record<string, number>> }): string {
  return listed(Object.keys(dtypes));
}

const hostNames = { github: 'GitHub', huggingface: 'Hugging Face', mirror: 'mirror' };

function hostLinks({ download_urls: urls }: ManifestModel): readonly Html[] {
  const linked = hostKinds.filter((kind) => urls[kind] !== undefined);
  return linked.map((kind, index) => html`${index > 0 && ', '}<a href="${urls[kind]}">${hostNames[kind]}</a>`);
}
