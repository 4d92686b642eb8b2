import parseExpression from 'spdx-expression-parse';
import { parse as parseYaml } from 'yaml';
import type { ModelConfig } from '../contract/release-config.ts';
import type { Findings } from './findings.ts';

/**
 * Licences on the SPDX list that forbid commercial use, or allow it only under conditions that not
 * everybody meets.
 */
const nonCommercial =
  /^(?:CC-BY-NC-.*|PolyForm-Noncommercial-.*|PolyForm-Small-Business-.*|BUSL-.*|NCGL-UK-.*|Aladdin)$/;

/**
 * Some identifiers of the Hub (docs/hub/repositories-licenses) stand for several SPDX licences: for
 * all whose identifiers begin with it.
 */
const hubFamilies = new Set([
  ...['gpl', 'gpl-2.0', 'gpl-3.0', 'lgpl', 'lgpl-2.1', 'lgpl-3.0', 'agpl-3.0', 'gfdl'],
  ...['bsd', 'cc', 'odbl', 'odc-by', 'pddl', 'c-uda'],
]);

/** Identifiers that the Hub spells differently from the SPDX list, in lower case. */
const hubSpellings: Readonly<Record<string, string>> = { 'lgpl-lr': 'lgpllr' };

type Verdict = boolean | 'unknown';

/**
 * Whether an SPDX expression allows commercial use. With AND all of its licences must allow it,
 * with OR one is enough. Null where it depends on a LicenseRef: only release.json can say what that
 * allows.
 */
export function allowsCommercialUse(license: string): boolean | null {
  const verdict = judge(parseExpression(license));
  return verdict === 'unknown' ? null : verdict;
}

function judge(expression: parseExpression.Info): Verdict {
  if (!('conjunction' in expression)) {
    return isReference(expression.license) ? 'unknown' : !nonCommercial.test(expression.license);
  }
  const sides = [judge(expression.left), judge(expression.right)];
  const decisive = expression.conjunction === 'or';
  if (sides.includes(decisive)) return decisive;
  return sides.includes('unknown') ? 'unknown' : !decisive;
}

function isReference(license: string): boolean {
  return license.includes('LicenseRef-');
}

/** The identifiers in an SPDX expression. */
function licensesIn(expression: parseExpression.Info): string[] {
  if ('conjunction' in expression) return [...licensesIn(expression.left), ...licensesIn(expression.right)];
  return [expression.license];
}

/** Where a model stands in release.json. */
export interface ConfigPlace {
  readonly file: string;
  /** JSON path of the model, `$.models["x"]`. */
  readonly at: string;
}

/**
 * The manifest's `commercial_use`. Null, and a finding, where neither the licence nor release.json
 * says it.
 */
export function commercialUse(config: ModelConfig, place: ConfigPlace, findings: Findings): boolean | null {
  const byLicence = allowsCommercialUse(config.license);
  const said = config.commercial_use;
  if (byLicence === false && said === true) {
    findings.error({
      file: place.file,
      at: `${place.at}.commercial_use`,
      message: `is true, but the licence ${config.license} forbids or restricts it`,
      hint: 'Remove "commercial_use", or correct "license".',
    });
    return false;
  }
  if (byLicence === null && said === undefined) {
    findings.error({
      file: place.file,
      at: `${place.at}.license`,
      message: `nothing says whether ${config.license} allows commercial use`,
      hint: 'Add "commercial_use": true or false to the model in release.json.',
    });
  }
  return said ?? byLicence;
}

/** Compares the licence in release.json with the front matter of the model's own README.md. */
export function checkReadmeLicence(config: ModelConfig, readme: string, findings: Findings): void {
  const front = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---\s*(?:\r?\n|$)/.exec(readme)?.[1];
  if (front === undefined) return;
  let matter: unknown;
  try {
    // Otherwise the parser prints warnings by itself.
    matter = parseYaml(front, { logLevel: 'error' });
  } catch (error) {
    const fact = error instanceof Error ? error.message.split('\n')[0] : String(error);
    findings.warning({
      in: 'README.md',
      message: `the front matter is not valid YAML: ${fact}`,
      hint: 'Correct it: the Hub shows licence and tags from it.',
    });
    return;
  }
  if (typeof matter !== 'object' || matter === null) return;
  const { license, license_name: licenseName } = matter as Readonly<Record<string, unknown>>;
  const stated = [license].flat().filter((value) => typeof value === 'string' && value !== '' && value !== 'unknown');
  const released = licensesIn(parseExpression(config.license));
  for (const value of stated as string[]) {
    const name = value.toLowerCase() === 'other' && typeof licenseName === 'string' ? licenseName : value;
    if (released.some((spdx) => isSame(name, spdx))) continue;
    findings.error({
      in: 'README.md',
      at: '$.license',
      message: `says ${JSON.stringify(name)}, but release.json says ${JSON.stringify(config.license)}`,
      hint: 'Find out which one is right, and correct the other.',
    });
  }
}

/**
 * Whether an identifier of the Hub may mean this SPDX identifier. A LicenseRef may stand for any
 * licence that SPDX doesn't list; the Hub calls such a licence `other`, or by a name of its own. A
 * LicenseRef never stands for a listed licence.
 */
function isSame(hub: string, spdx: string): boolean {
  const name = hubSpellings[hub.toLowerCase()] ?? hub.toLowerCase();
  if (isReference(spdx)) return !isListed(hub);
  const listed = spdx.toLowerCase();
  return listed === name || (hubFamilies.has(name) && listed.startsWith(`${name}-`));
}

/**
 * Whether SPDX lists this identifier, in any case. The parser knows only exact spellings, so the
 * usual ones are tried.
 */
function isListed(hub: string): boolean {
  const name = hub.toLowerCase();
  if (hubFamilies.has(name)) return true;
  const capital = name.charAt(0).toUpperCase() + name.slice(1);
  return [name, name.toUpperCase(), capital].some((spelling) => {
    try {
      return 'license' in parseExpression(spelling);
    } catch {
      return false;
    }
  });
}
