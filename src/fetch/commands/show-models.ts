import type { Models } from '../api.ts';
import type { Columns, Output } from '../render/output.ts';

export const noModels = 'No model is installed. See what there is: list --remote';

/**
 * What is said of models: as the document of --json, or as a table of these columns behind the
 * name. `none` is said where there are no models.
 */
export function showModels<T extends { readonly name: string }>(
  output: Output,
  document: Models<T>,
  columns: Columns<T>,
  none = noModels,
): void {
  const { models } = document;
  output.document(document);
  if (models.length === 0) output.note(none);
  else output.table(models, { MODEL: (model) => model.name, ...columns });
}
