/** The client's library: what `api.ts` says. */
export { AircherError, isAircherError } from '../core/errors.ts';
export { ensureModel, ModelManager } from './model-manager.ts';
