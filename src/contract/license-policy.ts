import * as z from 'zod/mini';
import type { ManifestModel } from './manifest.ts';

/** Which licences a model may have, as preferences and lock files say it. */
export const licensePolicySchema = z.strictObject({
  /** Ids of SPDX, or `LicenseRef-…`. Empty or left out: all that aren't denied. */
  allow: z.optional(z.array(z.string())),
  /** The same, or how ids begin: `AGPL` denies AGPL-3.0-only. */
  deny: z.optional(z.array(z.string())),
  /** Only models whose release says that commercial use is allowed. */
  commercial_only: z.optional(z.boolean()),
});

export type LicensePolicy = Readonly<z.infer<typeof licensePolicySchema>>;

type License = Pick<ManifestModel, 'license' | 'commercial_use'>;

/**
 * Why a policy refuses a model's licence; undefined where it doesn't. Of an expression with OR one
 * side must be allowed, with AND both. What is `accepted` isn't looked at any more. Ids are
 * compared without regard to case, as SPDX has it.
 */
export function licenseFault(
  { license, commercial_use }: License,
  { allow = [], deny = [], commercial_only }: LicensePolicy,
  accepted: readonly string[] = [],
): string | undefined {
  if (commercial_only && commercial_use !== true && acceptedOf({ license }, accepted).length === 0) {
    return commercial_use === false ? 'forbids commercial use' : 'is not said to allow commercial use';
  }
  if (allow.length === 0 && deny.length === 0) return undefined;
  if (license === undefined) return allow.length > 0 ? 'is not stated' : undefined;
  const isGood = (names: readonly string[]): boolean =>
    isAmong(names, accepted) || (!beginLike(names, deny) && (allow.length === 0 || isAmong(names, allow)));
  // What is no expression may be listed all the same.
  return isAmong([license], [...allow, ...accepted]) || holds(license, isGood) ? undefined : 'is not allowed';
}

/** Those of the accepted licences that the model's expression names, or that are all of it. */
export function acceptedOf({ license }: Pick<License, 'license'>, accepted: readonly string[]): readonly string[] {
  if (license === undefined) return [];
  const named: string[] = [license];
  holds(license, (names) => {
    named.push(...names);
    return true;
  });
  return accepted.filter((one) => isAmong([one], named));
}

function isAmong(names: readonly string[], list: readonly string[]): boolean {
  const known = new Set(list.map((one) => one.toLowerCase()));
  return names.some((name) => known.has(name.toLowerCase()));
}

/**
 * Whether a name begins as one of the list does, letters and digits alone: who writes `apache2`
 * means Apache-2.0, and what is denied by mistake is noticed, unlike what is let in.
 */
function beginLike(names: readonly string[], list: readonly string[]): boolean {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const beginnings = list.map(plain).filter(Boolean);
  return names.some((name) => beginnings.some((beginning) => plain(name).startsWith(beginning)));
}

/** Longer ones are no licence that anybody wrote. */
const maxLength = 1000;

/**
 * Whether an SPDX expression (https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/)
 * holds, if each licence does for which `isGood` says so. It is asked with the ways to name one: `A
 * WITH B` also as `A`, since exceptions only allow more. False for what is no expression.
 */
function holds(expression: string, isGood: (names: readonly string[]) => boolean): boolean {
  if (expression.length > maxLength) return false;
  const words = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const next = (word: string): boolean => words[at]?.toUpperCase() === word && ++at > 0;
  const either = (): boolean => {
    let good = both();
    while (next('OR')) good = both() || good;
    return good;
  };
  const both = (): boolean => {
    let good = one();
    while (next('AND')) good = one() && good;
    return good;
  };
  const one = (): boolean => {
    if (next('(')) {
      const good = either();
      return next(')') && good;
    }
    const name = words[at++];
    if (name === undefined || name === ')') return false;
    return next('WITH') ? isGood([`${name} WITH ${words[at++]}`, name]) : isGood([name]);
  };
  return either() && at === words.length;
}
