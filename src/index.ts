/**
 * The library entry `aircher-models`: the release line as functions, for maintainers' own scripts.
 * The client is `aircher-models/fetch`.
 */
export type { ChunkIndex } from './contract/chunk-index.ts';
export { formatChunkIndex, parseChunkIndex } from './contract/chunk-index.ts';
export { formatManifest, type Manifest, type ManifestModel, parseManifest } from './contract/manifest.ts';
export { parseReleaseConfig } from './contract/parse-release-config.ts';
export type { ReleaseConfig } from './contract/release-config.ts';
export { AircherError, type ErrorCode, type Problem } from './core/errors.ts';
export type { Event, OnEvent } from './core/events.ts';
export { exitCodes } from './core/exit-codes.ts';
export { configuredTargets } from './release/configured-targets.ts';
export { type LoadedConfig, loadConfig } from './release/load-config.ts';
export { type ReleaseReport, runRelease } from './release/pipeline.ts';
export type { Plan } from './release/plan/plan-record.ts';
export { planRelease } from './release/plan/plan-release.ts';
export { type PublishReport, publishRelease } from './release/publish/publish-release.ts';
export { type ValidateReport, validate } from './release/validate-release.ts';
export { type VerifyReport, verifyRelease } from './release/verify/verify-release.ts';
export type { ReleaseEnvironment, Workspace } from './release/workspace.ts';
export type { Target } from './targets/target.ts';
