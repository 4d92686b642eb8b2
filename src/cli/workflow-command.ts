import { withoutSteering } from '../core/printable.ts';

/**
 * One command to GitHub's runner, such as `::error file=…,line=…::…`. What the values say ends no
 * command and begins none. [GitHub docs, "Workflow commands", and the escapes of actions/toolkit's
 * core package]
 */
export function workflowCommand(
  name: string,
  properties: Readonly<Record<string, string | undefined>>,
  text: string,
): string {
  const given = Object.entries(properties).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${data(value).replaceAll(':', '%3A').replaceAll(',', '%2C')}`],
  );
  return `::${name}${given.length > 0 ? ` ${given.join(',')}` : ''}::${data(text)}\n`;
}

function data(text: string): string {
  return withoutSteering(text).replaceAll('%', '%25').replaceAll('\n', '%0A');
}
