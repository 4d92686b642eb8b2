import * as z from 'zod/mini';
import { malformed } from './request-failure.ts';

/**
 * Checks an answer against what its protocol promises; what differs is a failure that is worth
 * another look.
 */
export function shaped<T>(schema: z.ZodMiniType<T>, data: unknown, what: string): T {
  const result = z.safeParse(schema, data);
  if (result.success) return result.data;
  throw malformed(what, result.error);
}
