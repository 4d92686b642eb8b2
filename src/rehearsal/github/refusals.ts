import { jsonReply, Refusal } from '../reply.ts';

const documentation = 'https://docs.github.com/rest';

/** One entry of `errors` in a 422. */
export interface FieldError {
  readonly resource: string;
  readonly code: 'already_exists' | 'custom' | 'invalid' | 'missing_field';
  readonly field?: string;
  readonly message?: string;
}

/** GitHub's errors, as they are answered: `{ message, documentation_url, status }`. */
export function refusal(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Refusal {
  return new Refusal(jsonReply(status, { message, documentation_url: documentation, status: String(status) }, headers));
}

export const notFound = (): Refusal => refusal(404, 'Not Found');
export const badCredentials = (): Refusal => refusal(401, 'Bad credentials');

export function validationFailed(...errors: readonly FieldError[]): Refusal {
  return new Refusal(
    jsonReply(422, { message: 'Validation Failed', errors, documentation_url: documentation, status: '422' }),
  );
}
