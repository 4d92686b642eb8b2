import { type Exchange, readBytes } from '../http.ts';
import { refusal } from './refusals.ts';

interface FieldTypes {
  readonly string: string;
  readonly boolean: boolean;
}

type Fields<Wanted extends Readonly<Record<string, keyof FieldTypes>>> = {
  readonly [Name in keyof Wanted]?: FieldTypes[Wanted[Name]] | undefined;
};

/**
 * The fields wanted out of a JSON body; null counts as absent, what isn't known is ignored. 400 or
 * 422 where it is malformed.
 */
export async function readFields<const Wanted extends Readonly<Record<string, keyof FieldTypes>>>(
  exchange: Exchange,
  wanted: Wanted,
): Promise<Fields<Wanted>> {
  const text = (await readBytes(exchange)).toString();
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch {
    throw refusal(400, 'Problems parsing JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refusal(400, 'Body should be a JSON object');
  }
  const found: Record<string, unknown> = {};
  for (const [name, type] of Object.entries(wanted)) {
    const field: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
    if (field === undefined || field === null) continue;
    if (typeof field !== type) {
      throw refusal(422, `Invalid request.\n\nFor 'properties/${name}', ${JSON.stringify(field)} is not a ${type}.`);
    }
    found[name] = field;
  }
  return found as Fields<Wanted>;
}
