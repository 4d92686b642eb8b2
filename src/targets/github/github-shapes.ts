import * as z from 'zod/mini';

/**
 * The parts of GitHub's answers that are used. Unknown members are ignored. Reference:
 * docs.github.com/rest/releases.
 */

export const assetShape = z.object({
  id: z.number(),
  name: z.string(),
  /** `uploaded`; `starter` and `open` are broken or unfinished uploads. */
  state: z.string(),
  size: z.number(),
  /** `sha256:<hex>`; older assets and fresh ones may have none. */
  digest: z.optional(z.nullable(z.string())),
  download_count: z.optional(z.number()),
});

export const releaseShape = z.object({
  id: z.number(),
  tag_name: z.string(),
  name: z.optional(z.nullable(z.string())),
  body: z.optional(z.nullable(z.string())),
  draft: z.boolean(),
  prerelease: z.boolean(),
  immutable: z.optional(z.boolean()),
  target_commitish: z.string(),
  upload_url: z.string(),
  html_url: z.string(),
  assets: z.optional(z.array(assetShape)),
});

export const repositoryShape = z.object({
  full_name: z.string(),
  private: z.boolean(),
  archived: z.optional(z.boolean()),
  disabled: z.optional(z.boolean()),
});

/** A tag's or branch's reference, and an annotated tag: both name an object. */
export const referenceShape = z.object({ object: z.object({ type: z.string(), sha: z.string() }) });

export type Asset = Readonly<z.infer<typeof assetShape>>;
export type Release = Readonly<z.infer<typeof releaseShape>>;
export type Repository = Readonly<z.infer<typeof repositoryShape>>;
