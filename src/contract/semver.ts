import compare from 'semver/functions/compare.js';
import gt from 'semver/functions/gt.js';
import lt from 'semver/functions/lt.js';
import parse from 'semver/functions/parse.js';
import prerelease from 'semver/functions/prerelease.js';
import rcompare from 'semver/functions/rcompare.js';
import satisfies from 'semver/functions/satisfies.js';
import valid from 'semver/functions/valid.js';
import validRange from 'semver/ranges/valid.js';

/** What the client needs of semver, by single modules: the whole package would put 8 KB more into its bundle. */
export default { compare, gt, lt, parse, prerelease, rcompare, satisfies, valid, validRange };
