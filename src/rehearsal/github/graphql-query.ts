/** One field of a selection set, with its arguments as plain values. */
export interface Field {
  readonly name: string;
  /** The key in the answer: the alias, where there is one. */
  readonly key: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly fields: readonly Field[];
}

const tokenPattern = /[\s,]+|#[^\n]*|(\.\.\.|[!$()[\]{}:=@|]|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[A-Za-z_]\w*)/gy;

/**
 * The selection of a document with one operation and no fragments. Throws an Error whose message is
 * for the client.
 */
export function parseQuery(document: string, variables: Readonly<Record<string, unknown>>): readonly Field[] {
  const tokens: string[] = [];
  let end = 0;
  for (const match of document.matchAll(tokenPattern)) {
    end = match.index + match[0].length;
    if (match[1] !== undefined) tokens.push(match[1]);
  }
  if (end !== document.length) throw new Error(`Parse error on ${JSON.stringify(document.slice(end, end + 10))}`);
  let at = 0;
  const peek = (): string => tokens[at] ?? 'end of query';
  const next = (): string => tokens[at++] ?? 'end of query';
  const expect = (token: string): void => {
    if (next() !== token) throw new Error(`Parse error: expected ${JSON.stringify(token)}`);
  };
  const readList = <T>(close: string, item: () => T): T[] => {
    const items: T[] = [];
    while (peek() !== close) {
      if (at >= tokens.length) throw new Error('Unexpected end of document');
      items.push(item());
    }
    at++;
    return items;
  };
  const readValue = (): unknown => {
    const token = next();
    if (token === '$') return variables[next()];
    if (token === '[') return readList(']', readValue);
    if (token === '{') return readArguments('}');
    if (token.startsWith('"') || /^-?\d/.test(token)) return JSON.parse(token);
    if (['true', 'false', 'null'].includes(token)) return JSON.parse(token);
    return token;
  };
  const readArguments = (close: string): Record<string, unknown> =>
    Object.fromEntries(
      readList(close, () => {
        const name = next();
        expect(':');
        return [name, readValue()] as const;
      }),
    );
  const readField = (): Field => {
    if (peek() === '...') throw new Error('Fragments are not supported here');
    const first = next();
    let name = first;
    if (peek() === ':') {
      at++;
      name = next();
    }
    let args: Record<string, unknown> = {};
    if (peek() === '(') {
      at++;
      args = readArguments(')');
    }
    return { key: first, name, args, fields: readFields() };
  };
  const readFields = (): readonly Field[] => {
    if (peek() !== '{') return [];
    at++;
    return readList('}', readField);
  };

  // Types of variables are declared before the selection; their values come beside the query.
  if (peek() !== '{') while (at < tokens.length && peek() !== '{') at++;
  const fields = readFields();
  if (fields.length === 0) throw new Error('A query attribute must be specified and must be a string.');
  return fields;
}
