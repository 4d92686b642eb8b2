import { Refusal } from '../reply.ts';

/** An error as S3 words it: the code, in XML. [docs.aws.amazon.com, "Error responses"] */
export function s3Error(
  status: number,
  code: string,
  message: string,
  more: Readonly<Record<string, string>> = {},
): Refusal {
  const fields = Object.entries({ Code: code, Message: message, ...more });
  const inner = fields.map(([name, value]) => `<${name}>${xmlText(value)}</${name}>`).join('');
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${inner}</Error>`;
  return new Refusal({ status, headers: { 'content-type': 'application/xml' }, body });
}

export function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
