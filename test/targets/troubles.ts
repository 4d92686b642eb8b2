import type { FaultAction } from '../../src/rehearsal/faults.ts';

/** What any host may do to a request; each host's tests add its own kinds. */
export const commonTroubles = {
  '502': { kind: 'status', status: 502, body: '<html>Bad gateway</html>' },
  '500 after the work': { kind: 'status', status: 500, after: true },
  'a cut before': { kind: 'reset', of: 'request' },
  'a cut in the body': { kind: 'reset', of: 'request', atByte: 70_000 },
  'a lost response': { kind: 'lost-response' },
  'a stall': { kind: 'stall' },
  'a page of HTML': { kind: 'html' },
  'flipped bytes': { kind: 'flip', of: 'request', atByte: 100 },
} as const satisfies Readonly<Record<string, FaultAction>>;
