/**
 * What is wrong with this Node, in words that follow a program's name; undefined where it will do.
 */
export function supportedNode(version: string, least: readonly [major: number, minor: number]): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > least[0] || (major === least[0] && minor >= least[1])) return undefined;
  return `needs Node ${least[0]}.${least[1]} or newer, this is ${version}`;
}
