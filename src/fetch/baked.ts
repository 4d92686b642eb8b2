/**
 * What a release bakes into its client: the third line of aircher.mjs. In the package's own code it
 * is absent.
 */
declare const AIRCHER_BAKED: Partial<Baked> | null | undefined;

export interface Baked {
  /**
   * Names the cache; a manifest of another namespace is refused. Undefined where nothing is baked
   * in.
   */
  readonly namespace: string | undefined;
  readonly manifest_sources: readonly string[];
  /** minisign public keys; with at least one, only well-signed manifests count. */
  readonly public_keys: readonly string[];
}

const values = typeof AIRCHER_BAKED === 'object' ? AIRCHER_BAKED : undefined;

export const baked: Baked = {
  namespace: values?.namespace,
  manifest_sources: values?.manifest_sources ?? [],
  public_keys: values?.public_keys ?? [],
};

/** The cache's name where nothing is baked in. */
export const defaultNamespace = 'aircher';
