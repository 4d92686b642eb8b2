import { usageError } from '../../core/errors.ts';
import type { OptionValues } from './command.ts';

/** An option's whole number from 1 on. Throws `usage` for anything else. */
export function numberOption(options: OptionValues, name: string, max: number): number | undefined {
  const text = options[name]?.at(-1);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw usageError(`--${name} ${text} is not a number from 1 to ${max}.`);
}
