import { join } from 'node:path';
import { archiveName, artifactsOf, indexName } from '../../contract/artifacts.ts';
import { catalogueName } from '../../contract/catalogue-mark.ts';
import type { HostKind } from '../../contract/fields.ts';
import type { Manifest, ManifestModel } from '../../contract/manifest.ts';
import { compareBytes } from '../../contract/names.ts';
import { AircherError } from '../../core/errors.ts';
import { hashFile } from '../../core/hashing.ts';
import { exists } from '../../core/read-files.ts';
import type { CarriedModel, FileContent, ReleaseFile } from '../../targets/target.ts';
import { bundleName } from '../documents/client-bundle.ts';
import { modelCardName } from '../documents/model-card.ts';
import { notesName } from '../documents/notes.ts';
import { minisignNames } from '../documents/signed-documents.ts';
import { checksumsName } from '../documents/write-checksums.ts';
import type { Workspace } from '../workspace.ts';

/** What a release has when keys are configured. */
export const signatureNames = [...minisignNames, 'manifest.json.asc'] as const;

/** The table in docs/formats.md: which files of a release go to which kind of host. */
export async function releaseFiles(
  kind: HostKind,
  manifest: Manifest,
  options: { readonly rawFiles: boolean },
  workspace: Workspace,
): Promise<readonly ReleaseFile[]> {
  const files: ReleaseFile[] = [];
  for (const [name, entry] of Object.entries(manifest.models)) {
    if (entry.release !== manifest.release || entry.download_urls[kind] === undefined) continue;
    for (const { name: artifact, size_bytes: sizeBytes, sha256 } of artifactsOf(name, entry)) {
      files.push({ name: artifact, sizeBytes, sha256, content: { kind: 'file', path: join(workspace.out, artifact) } });
    }
    if (kind === 'huggingface' && options.rawFiles) files.push(...rawFiles(name, entry, workspace));
  }
  const documents = [...documentsOn(kind)];
  for (const signature of signatureNames) {
    if (await exists(join(workspace.out, signature))) documents.push(signature);
  }
  for (const name of documents) files.push(await document(name, workspace));
  return files.sort((a, b) => compareBytes(a.name, b.name));
}

/** The documents that every release has on a kind of host. */
export function documentsOn(kind: HostKind): readonly string[] {
  const everywhere = ['manifest.json', checksumsName, bundleName];
  if (kind === 'mirror') return [...everywhere, notesName, catalogueName];
  return kind === 'huggingface' ? [...everywhere, modelCardName] : everywhere;
}

/** Every path of our layout in the Hub's tree for a manifest, carried-forward models' included. */
export function hubLayout(manifest: Manifest, options: { readonly rawFiles: boolean }): readonly string[] {
  const paths: string[] = ['manifest.json', checksumsName, bundleName, ...signatureNames, modelCardName];
  for (const [name, entry] of Object.entries(manifest.models)) {
    paths.push(...modelPaths(name, entry, options));
  }
  return paths.sort(compareBytes);
}

/** The models of other releases that the manifest carries forward, as the Hub's tree has them. */
export function carriedModels(manifest: Manifest, options: { readonly rawFiles: boolean }): readonly CarriedModel[] {
  return Object.entries(manifest.models).flatMap(([name, entry]) => {
    const { release: tag, sha256 } = entry;
    if (tag === undefined || tag === manifest.release || entry.download_urls.huggingface === undefined) return [];
    return [{ name, tag, sha256, files: modelPaths(name, entry, options) }];
  });
}

function modelPaths(name: string, entry: ManifestModel, options: { readonly rawFiles: boolean }): readonly string[] {
  return [
    ...artifactsOf(name, entry).map((artifact) => artifact.name),
    ...(options.rawFiles ? (entry.files ?? []).flatMap((file) => rawNames(name, file.path)) : []),
  ];
}

/**
 * `<model>/<path>`, and for the weights `<model>.safetensors` too, which a plain Hub client asks
 * for.
 */
function rawNames(model: string, path: string): readonly string[] {
  return path === 'model.safetensors' ? [`${model}/${path}`, `${model}.safetensors`] : [`${model}/${path}`];
}

/** Raw files come out of the archive, so that the machine that publishes needs no sources. */
function rawFiles(model: string, entry: ManifestModel, workspace: Workspace): readonly ReleaseFile[] {
  return (entry.files ?? []).flatMap((file) => {
    const content: FileContent = {
      kind: 'archived',
      archive: join(workspace.out, archiveName(model, entry.format)),
      index: join(workspace.out, indexName(model, entry.format)),
      path: file.path,
    };
    return rawNames(model, file.path).map((name) => ({
      name,
      sizeBytes: file.size_bytes,
      sha256: file.sha256,
      content,
    }));
  });
}

async function document(name: string, workspace: Workspace): Promise<ReleaseFile> {
  const path = join(workspace.out, name);
  if (!(await exists(path))) {
    throw new AircherError('invalid', `${path} is not there`, {
      hint: 'Run the steps before publish: `aircher-models manifest`, `checksums`, `notes`.',
    });
  }
  return { name, ...(await hashFile(path)), content: { kind: 'file', path } };
}
