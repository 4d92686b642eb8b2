/**
 * The part of GitHub's expression language that our workflows use: contexts, strings, `!`, `==`,
 * `!=`, `&&`, `||`, parentheses and calls. [GitHub docs, "Evaluate expressions in workflows and
 * actions"] Anything else is an error: a typing mistake in a workflow must not pass for an empty
 * value.
 */
export interface ExpressionScope {
  readonly contexts: Readonly<Record<string, unknown>>;
  readonly functions: Readonly<Record<string, (...values: readonly unknown[]) => unknown>>;
}

/** The value of a field: an expression's own value where it is nothing else, else text. */
export function evaluateField(text: string, scope: ExpressionScope): unknown {
  const whole = /^\$\{\{((?:(?!\}\}).)*)\}\}$/s.exec(text.trim());
  if (whole) return evaluate(whole[1] ?? '', scope);
  return text.replaceAll(/\$\{\{(.*?)\}\}/gs, (_, source: string) => asText(evaluate(source, scope)));
}

/** Whether an `if:` holds; without a status function it also needs `success()`. */
export function evaluateCondition(text: string | undefined, scope: ExpressionScope): boolean {
  const source = text === undefined ? 'success()' : text.replace(/^\s*\$\{\{(.*)\}\}\s*$/s, '$1');
  const named = /\b(success|failure|cancelled|always)\(/.test(source);
  return Boolean(evaluate(named ? source : `success() && (${source})`, scope));
}

export function asText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const token = /\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!().,]|-?\d+(?:\.\d+)?|[A-Za-z_][A-Za-z0-9_-]*|\S)/gy;

function evaluate(source: string, scope: ExpressionScope): unknown {
  const tokens = [...source.trim().matchAll(token)].map((match) => match[1]!);
  let at = 0;
  const fail = (): never => {
    throw new Error(`expression not understood at ${JSON.stringify(tokens[at])}: ${source.trim()}`);
  };
  const take = (expected: string): void => {
    if (tokens[at] !== expected) fail();
    at++;
  };
  const either = (): unknown => {
    let value = both();
    while (tokens[at] === '||') {
      at++;
      const right = both();
      value = value || right;
    }
    return value;
  };
  const both = (): unknown => {
    let value = comparison();
    while (tokens[at] === '&&') {
      at++;
      const right = comparison();
      value = value && right;
    }
    return value;
  };
  const comparison = (): unknown => {
    const left = unary();
    const operator = tokens[at];
    if (operator !== '==' && operator !== '!=') return left;
    at++;
    return (asText(left) === asText(unary())) === (operator === '==');
  };
  const unary = (): unknown => {
    if (tokens[at] !== '!') return primary();
    at++;
    return !unary();
  };
  const primary = (): unknown => {
    const word = tokens[at++] ?? fail();
    if (word === '(') {
      const value = either();
      take(')');
      return value;
    }
    if (word.startsWith("'")) return word.slice(1, -1).replaceAll("''", "'");
    if (/^-?\d/.test(word)) return Number(word);
    if (word === 'true' || word === 'false') return word === 'true';
    if (tokens[at] === '(') return call(word);
    return lookUp(word);
  };
  const call = (name: string): unknown => {
    take('(');
    const values: unknown[] = [];
    while (tokens[at] !== ')') {
      values.push(either());
      if (tokens[at] === ',') at++;
    }
    take(')');
    return (scope.functions[name] ?? fail())(...values);
  };
  const lookUp = (context: string): unknown => {
    if (!Object.hasOwn(scope.contexts, context)) fail();
    let value = scope.contexts[context];
    while (tokens[at] === '.') {
      at++;
      const key = tokens[at++] ?? fail();
      value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[key];
    }
    return value;
  };
  const value = either();
  return at === tokens.length ? value : fail();
}
