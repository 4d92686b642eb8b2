import { stringify } from 'yaml';
import { oneLine } from '../../core/printable.ts';

/**
 * Values as YAML, in which text that others wrote is text and nothing else: the library quotes it,
 * also where only YAML 1.1 (which Python reads) takes it for something else; what steers a reader's
 * screen is taken out before.
 */
export function yamlText(values: Readonly<Record<string, string | readonly string[]>>): string {
  const plain = Object.entries(values).map(([key, value]) => [
    key,
    typeof value === 'string' ? oneLine(value) : value.map(oneLine),
  ]);
  return stringify(Object.fromEntries(plain), { compat: 'yaml-1.1' });
}
