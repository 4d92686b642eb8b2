import { toVectors } from '../contract/embed-protocol.ts';
import { invalidError } from '../core/errors.ts';
import type {
  CheckUpdatesOptions,
  ClientOptions,
  CopyReport,
  DoctorReport,
  Embed,
  EnsuredModel,
  EnsureModelOptions,
  EnsureOptions,
  ExportReport,
  InstallReport,
  LicenseReport,
  ListedVersion,
  MirrorOptions,
  Models,
  Offer,
  PruneOptions,
  PruneReport,
  RemovalReport,
  RunContext,
  UnpinReport,
  UpdateOptions,
  UpdateReport,
  UpdateStatus,
  VectorsOptions,
  VectorsReport,
  Verification,
  VerifyOptions,
  VersionSwitch,
  WeightsOptions,
} from './api.ts';
import { checkOptions } from './check-options.ts';
import { type Client, createClient } from './client.ts';
import { copyReleases } from './copy/copy-releases.ts';
import { findOnDisk } from './install/find-on-disk.ts';
import { installFrom } from './install/install-from.ts';
import { installVersion } from './install/install-version.ts';
import { installLocked } from './lock/install-locked.ts';
import { findManifest } from './manifests/find-manifest.ts';
import { resolveModel } from './manifests/resolve-model.ts';
import { isPlaced, openClient } from './open-client.ts';
import { checkLicenses } from './operations/check-licenses.ts';
import { checkUpdates } from './operations/check-updates.ts';
import { describeInstall } from './operations/describe-install.ts';
import { diagnose } from './operations/doctor.ts';
import { exportModel } from './operations/export-model.ts';
import { checkRange, describeInstalled } from './operations/find-installed.ts';
import { prune, removeModel } from './operations/free-space.ts';
import { listInstalled, listOffered } from './operations/list-models.ts';
import { makePresent } from './operations/make-present.ts';
import { pinVersion, rollBack, unpinModel } from './operations/pin-versions.ts';
import { updateModels } from './operations/update-models.ts';
import { verifyModels } from './operations/verify-models.ts';
import { checkOnce, checkVectors, type EmbedTexts } from './vectors/check-vectors.ts';

/**
 * The models of one cache, and where new ones come from. Safe to use concurrently, in this process
 * and in others. Throws AircherError everywhere; `code` says what kind of failure it is.
 */
export class ModelManager {
  readonly #options: ClientOptions;
  #client: Client | undefined;

  constructor(options: ClientOptions = {}) {
    checkOptions('client', options);
    if (options.http !== undefined) checkOptions('http', options.http);
    this.#options = options;
    // A lock file is read when it is needed.
    if (options.lock !== undefined) return;
    const client = createClient(options);
    // Else the cache is known only when the sources are.
    if (isPlaced(client)) this.#client = client;
  }

  /**
   * The client, for a call with these options. Throws `usage` for one that the call doesn't know,
   * or a range that is none.
   */
  async #open(call: Parameters<typeof checkOptions>[0], options: EnsureOptions): Promise<Client> {
    checkOptions(call, options);
    checkRange(options.version);
    if (this.#client !== undefined) return this.#client;
    const { client, settled } = await openClient(this.#options, options);
    if (settled) this.#client ??= client;
    return this.#client ?? client;
  }

  /** The cache's root. May ask the sources, where they are new on this machine. */
  async cacheDir(context: RunContext = {}): Promise<string> {
    return (await this.#open('context', context)).layout.root;
  }

  /**
   * The model, from the cache where a version there satisfies `version` (a semver range; default
   * any): the pinned one, else the current, else the newest. No network then, and no write. Where
   * files of that version are missing or cut, it is repaired; another never takes its place. Where
   * none is there, the newest version that satisfies `version` is installed. Weights that aren't
   * there yet are fetched. Never updates what is there.
   */
  async ensureModel(name: string, options: EnsureModelOptions = {}): Promise<EnsuredModel> {
    options.signal?.throwIfAborted();
    const client = await this.#open('ensure', options);
    const { version, weights, check, runtime, ...context } = options;
    const manifest = () => findManifest(client, context);
    const how = { ...context, weights, makeCurrent: 'first' } as const;
    const installation = await makePresent(client, name, version, manifest, how);
    if (check) await checkOnce(client, installation, embedBy(check, runtime), { ...context, runtime });
    return describeInstalled(installation);
  }

  /**
   * Installs the newest version that satisfies `version`, with `weights` (default: the release's
   * default), and makes it the current one where it is newer.
   */
  async install(name: string, options: EnsureOptions = {}): Promise<InstallReport> {
    const client = await this.#open('version', options);
    if (client.lock !== undefined) {
      const { version: range, ...how } = options;
      const locked = { ...how, range, makeCurrent: 'newer' } as const;
      return describeInstall(await installLocked(client, client.lock, name, locked));
    }
    const resolved = await resolveModel(client, await findManifest(client, options), name, options.version, options);
    return describeInstall(await installVersion(client, resolved, { ...options, makeCurrent: 'newer' }));
  }

  /**
   * Installs a model from a folder or an archive on a disk, with the same checks and without a
   * network. `from`: a release's folder (manifest.json and archives), a folder with the model's
   * files, or an archive.
   */
  async installFrom(name: string, from: string, options: WeightsOptions = {}): Promise<EnsuredModel> {
    const client = await this.#open('weights', options);
    if (client.lock !== undefined) {
      const locked = { ...options, from, makeCurrent: 'newer' } as const;
      return describeInstalled(await installLocked(client, client.lock, name, locked));
    }
    const [model] = await findOnDisk(client, from, [name], options);
    if (model === undefined) throw invalidError(`${from} has no ${name}.`);
    return describeInstalled(await installFrom(client, model, options));
  }

  /** Installed versions. No network. */
  async list(options: WeightsOptions = {}): Promise<Models<ListedVersion>> {
    return listInstalled(await this.#open('weights', options), options);
  }

  /** What the newest release offers. */
  async listRemote(options: WeightsOptions = {}): Promise<Offer> {
    return listOffered(await this.#open('weights', options), options);
  }

  /** Installed against offered versions. Installs nothing. */
  async checkUpdates(options: CheckUpdatesOptions = {}): Promise<Models<UpdateStatus>> {
    return checkUpdates(await this.#open('checkUpdates', options), options);
  }

  /**
   * Brings installed models to the newest versions. One that fails keeps its version, and the rest
   * goes on.
   */
  async update(options: UpdateOptions = {}): Promise<Models<UpdateReport>> {
    return { models: await updateModels(await this.#open('update', options), options) };
  }

  /** Hashes what is installed; repairs it where that is asked for. */
  async verify(options: VerifyOptions = {}): Promise<Verification> {
    return verifyModels(await this.#open('verify', options), options);
  }

  /**
   * Goes back to an earlier version (default: the installed one before the current), and pins it.
   */
  async rollback(
    name: string,
    options: WeightsOptions & { readonly to?: string | undefined } = {},
  ): Promise<VersionSwitch> {
    return rollBack(await this.#open('rollback', options), name, options.to, options);
  }

  /**
   * Uses this installed version, and keeps `update` and `prune` from it. What is missing of it is
   * fetched.
   */
  async pin(name: string, version: string, options: WeightsOptions = {}): Promise<VersionSwitch> {
    return pinVersion(await this.#open('weights', options), name, version, options);
  }

  /** Lets `update` have the model again. */
  async unpin(name: string): Promise<UnpinReport> {
    return unpinModel(await this.#open('context', {}), name);
  }

  /** Deletes old versions and interrupted downloads; never a current or pinned version. */
  async prune(options: PruneOptions = {}): Promise<PruneReport> {
    return prune(await this.#open('prune', options), options);
  }

  /** Deletes a model with all its versions. */
  async remove(name: string, context: RunContext = {}): Promise<RemovalReport> {
    return removeModel(await this.#open('context', context), name, context);
  }

  /** Writes into `to` what `installFrom` needs on a machine without a network. */
  async export(name: string, to: string, options: EnsureOptions = {}): Promise<ExportReport> {
    return exportModel(await this.#open('version', options), name, options.version, to, options);
  }

  /**
   * Copies releases into `to`, for a web server or a disk that other clients have as their source.
   */
  async mirror(to: string, options: MirrorOptions = {}): Promise<CopyReport> {
    return copyReleases(await this.#open('mirror', options), to, options);
  }

  /**
   * Has an installed model embed its reference texts by `embed`, and says whether the vectors are
   * those that its maintainers got; where they aren't, what that usually means. No network, where
   * the reference came with the model.
   */
  async checkVectors(name: string, embed: Embed, options: VectorsOptions = {}): Promise<VectorsReport> {
    const client = await this.#open('vectors', options);
    const { runtime, ...how } = options;
    return checkVectors(client, name, embedBy(embed, runtime), how);
  }

  /** Licences of what is installed, and what the policy says of them. */
  async checkLicenses(names?: readonly string[]): Promise<Models<LicenseReport>> {
    return checkLicenses(await this.#open('context', {}), names);
  }

  /** What works and what doesn't. */
  async diagnose(context: RunContext = {}): Promise<DoctorReport> {
    return diagnose(await this.#open('context', context), context);
  }

  /** Ends idle connections; a program that ends does so without it. */
  close(): void {
    this.#client?.close();
  }
}

/** `new ModelManager(options).ensureModel(name, options)`, for programs that need one model. */
export async function ensureModel(
  name: string,
  options: EnsureModelOptions & ClientOptions = {},
): Promise<EnsuredModel> {
  const { version, weights, check, runtime, signal, onEvent, ...client } = options;
  const manager = new ModelManager(client);
  try {
    return await manager.ensureModel(name, { version, weights, check, runtime, signal, onEvent });
  } finally {
    manager.close();
  }
}

/** A caller's function, whose answer is held to what it must be. */
function embedBy(embed: Embed, runtime: string | undefined): EmbedTexts {
  return async (texts, model) => ({ vectors: toVectors(await embed(texts, model), texts, 'embed'), runtime });
}
