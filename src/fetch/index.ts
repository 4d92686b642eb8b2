/** The client's library: `aircher-models/fetch`. */
export { AircherError, type ErrorCode, isAircherError, type Problem } from '../core/errors.ts';
export type { Event, OnEvent, RunContext } from '../core/events.ts';
export type { HttpOptions } from '../http/http-client.ts';
export type { ClientOptions } from './client.ts';
export type { InstallReport } from './install/install-version.ts';
export { ensureModel, ModelManager } from './model-manager.ts';
export type { LicenseReport } from './operations/check-licenses.ts';
export type { CheckUpdatesOptions, UpdateStatus } from './operations/check-updates.ts';
export type { DoctorReport, Finding } from './operations/doctor.ts';
export type { ExportReport } from './operations/export-model.ts';
export type { EnsuredModel, EnsureOptions } from './operations/find-installed.ts';
export type { Prunable, PruneOptions, RemovalReport } from './operations/free-space.ts';
export type { ListedVersion, OfferedModel } from './operations/list-models.ts';
export type { VersionSwitch } from './operations/pin-versions.ts';
export type { UpdateOptions, UpdateReport } from './operations/update-models.ts';
export type { VerifyOptions, VerifyReport } from './operations/verify-models.ts';
export type { MirrorReport, TransferReport, TransferSummary } from './transfer/types.ts';
