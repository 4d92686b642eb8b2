import { writeFileSync } from 'node:fs';

// Loaded before a program: writes the most memory that the process ever held, in bytes, to PEAK_FILE when it ends.
process.on('exit', () => writeFileSync(process.env.PEAK_FILE, String(process.resourceUsage().maxRSS * 1024)));
