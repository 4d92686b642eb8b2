import semver from 'semver';
import type { ManifestModel } from '../../contract/manifest.ts';
import { type Html, html } from '../../core/html.ts';

/** Neighbouring versions of one embedding space; `letter` is `?` where it isn't known. */
interface Run {
  readonly letter: string;
  readonly classes: string;
  readonly versions: string[];
}

/** How many colours and patterns `style.ts` has. Together they tell 30 spaces of a model apart. */
const colours = 6;
const patterns = 5;

/**
 * A model's versions, oldest first, as a strip that has a colour, a pattern and a letter for each
 * space. Where the space changes, it says that an index must be rebuilt. `withdrawn`: its versions
 * that are.
 */
export function versionStrip(entry: ManifestModel, withdrawn: ReadonlySet<string>): Html {
  const shown = (version: string): Html => {
    if (withdrawn.has(version)) return html`<span><s>${version}</s> withdrawn</span>`;
    return version === entry.version ? html`<b>${version}</b>` : html`<span>${version}</span>`;
  };
  const runs = runsOf(entry).map(
    ({ letter, classes, versions }, index) =>
      html`${index > 0 && html`<li class="rebuild">rebuild</li>`}<li class="${classes}"><i>${letter}</i>${versions.map(shown)}</li>`,
  );
  return html`<ol class="strip">${runs}</ol>`;
}

function runsOf(entry: ManifestModel): readonly Run[] {
  const { version, embedding, published_versions: older = [] } = entry;
  const all = [...older, { version, space: embedding?.space }].sort((a, b) => semver.compare(a.version, b.version));
  const known = new Map<string, number>();
  const runs: Run[] = [];
  let last: string | undefined;
  for (const { version, space } of all) {
    const run = runs.at(-1);
    if (run && space !== undefined && space === last) run.versions.push(version);
    else runs.push({ ...lookOf(space, known), versions: [version] });
    last = space;
  }
  return runs;
}

function lookOf(space: string | undefined, known: Map<string, number>): Pick<Run, 'letter' | 'classes'> {
  if (space === undefined) return { letter: '?', classes: 'c p0' };
  const index = known.get(space) ?? known.size;
  known.set(space, index);
  const pattern = (index + Math.floor(index / colours)) % patterns;
  return { letter: letterOf(index), classes: `c${index % colours} p${pattern}` };
}

/** A to Z, then AA, AB and so on. */
function letterOf(index: number): string {
  const before = index < 26 ? '' : letterOf(Math.floor(index / 26) - 1);
  return before + String.fromCharCode(65 + (index % 26));
}
