import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { marked } from 'marked';
import { parse } from 'yaml';
import { workflowCommand } from '../../src/cli/workflow-command.ts';
import { markdownText } from '../../src/core/markdown.ts';
import {
  oneLine,
  printable,
  printableJson,
  printableMessage,
  quoted,
  withoutSteering,
} from '../../src/core/printable.ts';
import { yamlText } from '../../src/release/documents/yaml-text.ts';
import { hostileTexts, steering } from '../fixtures/hostile-texts.ts';
import { runnerCommands } from '../fixtures/runner-commands.ts';

/**
 * One function a language, each with the same hostile texts, and with texts made of their pieces.
 */

const piece = fc.oneof(
  fc.constantFrom(...Object.values(hostileTexts).filter((text) => text.length < 1000)),
  fc.constantFrom(...'|`*_[]()<>&~$@#:%+-=!\\/.\n\r 1aé'),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
);
const anyText = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

function always(holds: (text: string) => void): void {
  for (const text of Object.values(hostileTexts)) holds(text);
  fc.assert(fc.property(anyText, holds));
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** What a reader of the HTML sees. */
function textOf(html: string): string {
  return html
    .replace(/<[^>]*>/g, '')
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '')
    .trim();
}

function elementsOf(html: string): readonly string[] {
  return [...new Set([...html.matchAll(/<(\w+)/g)].map(([, name]) => name ?? ''))].sort();
}

/** What a reader shall see of a text. */
function shown(text: string): string {
  const line = oneLine(text).trim();
  return line.length > 4_000 ? `${line.slice(0, 4_000)}…` : line;
}

interface Place {
  readonly name: string;
  readonly write: (escaped: string) => string;
  /** Elements that our own Markdown makes. */
  readonly elements: readonly string[];
  /** The part of the HTML that the text became. */
  readonly find: (html: string) => string | undefined;
}

const places: readonly Place[] = [
  { name: 'a paragraph', write: (text) => text, elements: ['p'], find: (html) => html },
  {
    name: 'the middle of a paragraph',
    write: (text) => `x ${text} x`,
    elements: ['p'],
    find: (html) => /^<p>x (.*) x<\/p>\n$/.exec(html)?.[1],
  },
  {
    name: 'a list item',
    write: (text) => `- **x**: ${text}\n- y`,
    elements: ['li', 'strong', 'ul'],
    find: (html) => /x<\/strong>:(.*)<\/li>\n<li>y/.exec(html)?.[1],
  },
  {
    name: 'a cell',
    write: (text) => `| a | b |\n|---|---|\n| ${text} | x |`,
    elements: ['table', 'tbody', 'td', 'th', 'thead', 'tr'],
    find: (html) => /<tr>\n<td>(.*)<\/td>\n<td>x<\/td>\n<\/tr>/.exec(html)?.[1],
  },
];

describe('a text that others wrote, in Markdown', () => {
  for (const { name, write, elements, find } of places) {
    it(`is shown in ${name} as it is, and does nothing else`, () => {
      always((text) => {
        if (shown(text) === '') return;
        const html = marked.parse(write(markdownText(text)), { async: false });
        const code = [...html.matchAll(/<code>(.*?)<\/code>/g)].map(([, inside]) => inside);
        assert.deepEqual(
          elementsOf(html).filter((element) => element !== 'code'),
          elements,
          html,
        );
        assert.ok(
          code.every((inside) => /^@+$/.test(inside ?? '')),
          html,
        );
        assert.equal(textOf(find(html) ?? ''), shown(text));
      });
    });
  }

  it('stays as it is where it needs no escape', () => {
    for (const text of [
      'Apache-2.0 OR MIT',
      'LicenseRef-acme_1.0',
      'Trained on 2 more languages (fr, de): +3 %.',
      '2.0 weights',
      '-1',
      'a *** c',
    ])
      assert.equal(markdownText(text), text);
  });

  it('is cut where it is very long', () => {
    assert.ok(markdownText('x'.repeat(100_000)).length < 5_000);
    assert.ok(markdownText(`x${'😀'.repeat(100_000)}`).isWellFormed());
  });
});

describe('a text that others wrote, in a terminal and in a log', () => {
  it('steers nothing and commands nothing, be it printed as text, as a message or as JSON', () => {
    always((text) => {
      for (const printed of [printable(text), printableMessage(text), printableJson({ [text]: [text, { text }] })]) {
        assert.doesNotMatch(printed, steering);
        assert.deepEqual(runnerCommands(printed), []);
      }
      const [, ...further] = printableMessage(text).split('\n');
      assert.ok(further.every((line) => line.startsWith('  | ')));
      assert.doesNotMatch(oneLine(text), /\n/);
      assert.doesNotMatch(oneLine(text), steering);
    });
  });

  it('is the same text when the JSON is read', () => {
    always((text) => {
      assert.deepEqual(JSON.parse(printableJson({ text })), { text });
      assert.equal(JSON.parse(quoted(text)), text);
      assert.doesNotMatch(quoted(text), steering);
    });
  });
});

describe('a text that others wrote, in a workflow command', () => {
  it('is the data or a property of that one command', () => {
    const unescaped = (text = ''): string =>
      text.replaceAll('%0A', '\n').replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%25', '%');
    always((text) => {
      const written = workflowCommand('error', { file: text, line: '1' }, text);
      const [, file, data] = /^::error file=([^,:\n\r]*),line=1::([^\n\r]*)\n$/.exec(written) ?? [];
      assert.equal(unescaped(file), withoutSteering(text));
      assert.equal(unescaped(data), withoutSteering(text));
    });
    assert.equal(workflowCommand('notice', { file: undefined }, 'a'), '::notice::a\n');
  });
});

describe('a text that others wrote, in YAML', () => {
  it('is read again as that text, by readers of YAML 1.2 and of 1.1', () => {
    always((text) => {
      const written = yamlText({ license: 'other', license_name: text, tags: [text, 'x'] });
      assert.doesNotMatch(written, steering);
      assert.doesNotMatch(`\n${written}`, /\n(---|\.\.\.)/, 'the front matter does not end');
      for (const version of ['1.2', '1.1'] as const) {
        const expected = { license: 'other', license_name: oneLine(text), tags: [oneLine(text), 'x'] };
        assert.deepEqual(parse(written, { version }), expected);
      }
    });
  });
});
