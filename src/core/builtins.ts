import type * as ChildProcess from 'node:child_process';
import type * as Crypto from 'node:crypto';
import type * as Dns from 'node:dns';
import type * as Http from 'node:http';
import type * as Https from 'node:https';
import type * as Net from 'node:net';
import type * as Stream from 'node:stream';
import type * as Tls from 'node:tls';
import type * as Util from 'node:util';
import type * as Zlib from 'node:zlib';

/**
 * Node's larger modules, loaded when they are first used. The network's take longer to load than
 * all else that a command does which finds its model in the cache; an import statement would load
 * them each time, also from a bundle.
 */
export const builtins = {
  get childProcess(): typeof ChildProcess {
    return process.getBuiltinModule('node:child_process');
  },
  get crypto(): typeof Crypto {
    return process.getBuiltinModule('node:crypto');
  },
  get dns(): typeof Dns {
    return process.getBuiltinModule('node:dns');
  },
  get http(): typeof Http {
    return process.getBuiltinModule('node:http');
  },
  get https(): typeof Https {
    return process.getBuiltinModule('node:https');
  },
  get net(): typeof Net {
    return process.getBuiltinModule('node:net');
  },
  get stream(): Pick<typeof Stream, 'addAbortSignal' | 'pipeline' | 'Readable'> {
    return process.getBuiltinModule('node:stream');
  },
  get tls(): typeof Tls {
    return process.getBuiltinModule('node:tls');
  },
  get util(): typeof Util {
    return process.getBuiltinModule('node:util');
  },
  get zlib(): typeof Zlib {
    return process.getBuiltinModule('node:zlib');
  },
};
