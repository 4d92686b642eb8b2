import * as z from 'zod/mini';

/**
 * The parts of the Hub's answers that are used, as huggingface_hub 2.4 and huggingface.js read
 * them. Unknown members are ignored.
 */

const ref = z.object({ name: z.string(), targetCommit: z.string() });

export const refsShape = z.object({ branches: z.array(ref), tags: z.array(ref) });

export const modelShape = z.object({
  /** `owner/name`. It becomes part of the paths that are asked for. */
  id: z.string().check(z.regex(/^[\w.-]+\/[\w.-]+$/)),
  private: z.optional(z.boolean()),
  /** false, or how access is granted. */
  gated: z.optional(z.union([z.boolean(), z.string()])),
  disabled: z.optional(z.boolean()),
  /** In the last 30 days. */
  downloads: z.optional(z.number()),
});

export const treeEntryShape = z.object({
  type: z.string(),
  path: z.string(),
  size: z.number(),
  /** git's name of the blob; of an LFS file, of its pointer. */
  oid: z.optional(z.string()),
  lfs: z.optional(z.nullable(z.object({ oid: z.string(), size: z.number() }))),
});

export const preuploadShape = z.object({
  files: z.array(z.object({ path: z.string(), uploadMode: z.enum(['lfs', 'regular']) })),
});

const action = z.object({ href: z.string(), header: z.optional(z.nullable(z.record(z.string(), z.string()))) });

/**
 * git-lfs, docs/api/batch.md, with the Hub's `multipart`: part URLs under their numbers in
 * `header`, beside `chunk_size`.
 */
export const batchShape = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      size: z.number(),
      /** Whether the actions need no credentials but their own. */
      authenticated: z.optional(z.nullable(z.boolean())),
      actions: z.optional(z.nullable(z.object({ upload: z.optional(action), verify: z.optional(action) }))),
      error: z.optional(z.object({ code: z.number(), message: z.string() })),
    }),
  ),
});

export const commitShape = z.object({ commitOid: z.string() });

export const whoAmIShape = z.object({
  name: z.string(),
  orgs: z.optional(z.array(z.object({ name: z.string(), roleInOrg: z.optional(z.string()) }))),
  auth: z.optional(
    z.object({
      accessToken: z.optional(
        z.nullable(
          z.object({
            /** `read`, `write`, `fineGrained`, `god`. */
            role: z.optional(z.string()),
          }),
        ),
      ),
      expiresAt: z.optional(z.nullable(z.string())),
    }),
  ),
});

export type UploadAction = Readonly<z.infer<typeof action>>;
export type BatchObject = Readonly<z.infer<typeof batchShape>>['objects'][number];
export type Model = Readonly<z.infer<typeof modelShape>>;
export type WhoAmI = Readonly<z.infer<typeof whoAmIShape>>;

/** A file as a revision has it. */
export interface TreeFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly blobId: string | undefined;
  /** The sha256 of a file in large file storage. */
  readonly lfsSha256: string | undefined;
}

/** A revision's files by path. */
export type Tree = ReadonlyMap<string, TreeFile>;

export interface Refs {
  /** Commits by name. */
  readonly branches: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
}
