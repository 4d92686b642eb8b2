/**
 * What the client needs of the package `semver`, part by part: loading the whole would slow every
 * start.
 */
export { default as compare } from 'semver/functions/compare.js';
export { default as gt } from 'semver/functions/gt.js';
export { default as lt } from 'semver/functions/lt.js';
export { default as rcompare } from 'semver/functions/rcompare.js';
export { default as satisfies } from 'semver/functions/satisfies.js';
export { default as valid } from 'semver/functions/valid.js';
export { default as validRange } from 'semver/ranges/valid.js';
