import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** The version that the README's figures were measured with. */
const wanted = 'huggingface_hub==2.4.0';
const folder = fileURLToPath(new URL('../../node_modules/.cache/bench-hf', import.meta.url));

/**
 * The path of `hf`, in a virtual environment of the bench's own; where Python, its packages or the
 * network are missing, `hf` as PATH has it.
 */
export async function hfProgram(): Promise<string> {
  try {
    await execa('python3', ['-m', 'venv', folder]);
    await execa(join(folder, 'bin/pip'), ['install', '--quiet', wanted]);
    return join(folder, 'bin/hf');
  } catch {
    return 'hf';
  }
}
