import { readFile } from 'node:fs/promises';

/** A command line of a document, or a file that it says to write. */
export type DocStep =
  | { readonly kind: 'command'; readonly line: number; readonly command: string; readonly exitCode: number }
  | {
      readonly kind: 'file';
      readonly line: number;
      readonly path: string;
      readonly content: string;
      /** The block has the keys of a JSON file that change. */
      readonly merge: boolean;
    };

/**
 * What a reader of the document does, in order: commands of fenced `sh` and `console` blocks
 * (there, lines behind `$ `), and blocks of other languages that name a path behind the language
 * (`json PATH merge`: keys that change). A comment `# exit 10` behind a command is the exit code it
 * must have.
 */
export async function readSteps(path: string): Promise<readonly DocStep[]> {
  const steps: DocStep[] = [];
  const lines = (await readFile(path, 'utf8')).split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, language = '', rest = ''] = /^```(\w+)(?: +(\S.*))?$/.exec(lines[at] ?? '') ?? [];
    if (language === '') continue;
    const start = at + 1;
    while (++at < lines.length && lines[at] !== '```');
    const body = lines.slice(start, at);
    if (language === 'sh' || language === 'console') steps.push(...commandsOf(body, start + 1, language));
    else if (rest !== '') {
      const [path = '', how] = rest.split(' ');
      steps.push({ kind: 'file', line: start, path, content: `${body.join('\n')}\n`, merge: how === 'merge' });
    }
  }
  return steps;
}

function commandsOf(body: readonly string[], firstLine: number, language: string): DocStep[] {
  const steps: DocStep[] = [];
  for (let at = 0; at < body.length; at++) {
    const line = firstLine + at;
    let text = body[at] ?? '';
    if (language === 'console') {
      if (!text.startsWith('$ ')) continue;
      text = text.slice(2);
    }
    while (text.endsWith('\\')) text = `${text.slice(0, -1)}${(body[++at] ?? '').trim()}`;
    const [, command = '', comment = ''] = /^(.*?)(?:(?:^| +)#( .*))?$/.exec(text) ?? [];
    if (command.trim() === '') continue;
    const exitCode = Number(/^ exit (\d+)/.exec(comment)?.[1] ?? 0);
    steps.push({ kind: 'command', line, command: command.trim(), exitCode });
  }
  return steps;
}

/** Relative links of a document, with their line. */
export async function readLinks(path: string): Promise<readonly { readonly line: number; readonly target: string }[]> {
  const links: { line: number; target: string }[] = [];
  let fenced = false;
  for (const [number, line] of (await readFile(path, 'utf8')).split('\n').entries()) {
    if (line.startsWith('```')) fenced = !fenced;
    if (fenced) continue;
    for (const [, target = ''] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (!/^[a-z]+:/.test(target)) links.push({ line: number + 1, target });
    }
  }
  return links;
}

/** The anchors that GitHub gives to a document's headings. */
export async function readAnchors(path: string): Promise<ReadonlySet<string>> {
  const anchors = new Set<string>();
  let fenced = false;
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    if (line.startsWith('```')) fenced = !fenced;
    const heading = fenced ? undefined : /^#+ +(.*)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const text = heading
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
      .replaceAll(' ', '-');
    anchors.add(text);
  }
  return anchors;
}
