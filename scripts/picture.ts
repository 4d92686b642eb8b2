import { fileURLToPath } from 'node:url';
import { writeFileAtomically } from '../src/core/write-files.ts';
import { buildClientPackage } from './build-client-package.ts';
import { terminalPicture } from './picture/terminal-picture.ts';
import { pictureWidth, updateOnTerminal } from './picture/update-on-terminal.ts';

/** `npm run picture`: draws docs/update.svg, README's picture, of what the commands in it print. */
await buildClientPackage();
const path = fileURLToPath(new URL('../docs/update.svg', import.meta.url));
await writeFileAtomically(path, terminalPicture(await updateOnTerminal(), pictureWidth));
console.log(`wrote ${path}`);
