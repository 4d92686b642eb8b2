import type { Command, OptionSpecs } from './command.ts';

export function overviewHelp(program: string, commands: readonly Command[], globals: OptionSpecs): string {
  return `Embedding models: installs them, keeps them up to date, checks every byte.

Usage: ${program} COMMAND …

${columns(commands.map((command) => [`${command.name} ${command.operands}`.trim(), command.summary]))}

Options of every command:
${columns(Object.entries(globals))}

More on one: ${program} help COMMAND. The word “model” may be left out.

Exit codes: 0 done, 2 wrong usage, 3 invalid input or nothing of that name, 4 wrong bytes or signature, 5 a remote failed,
6 conflict or rights, 7 this machine (disk, permissions), 11 a licence that the policy refuses, 130 interrupted.
`;
}

export function commandHelp(program: string, command: Command, globals: OptionSpecs): string {
  const aliases = command.aliases === undefined ? '' : ` (also: ${command.aliases.join(', ')})`;
  const details = command.details === undefined ? '' : `\n${command.details}\n`;
  const own = command.options === undefined ? '' : `\nOptions:\n${columns(Object.entries(command.options))}\n`;
  const line = (behind: string): string => `${program} ${command.name} ${behind}`.trim();
  const examples = Object.entries(command.examples).map(([behind, meaning]) => [line(behind), meaning] as const);
  return `${line(command.operands)}
  ${command.summary}${aliases}
${details}${own}
Examples:
${columns(examples)}

Options of every command:
${columns(Object.entries(globals))}
`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
