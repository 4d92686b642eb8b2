import type * as Http from 'node:http';
import type * as Https from 'node:https';
import type * as Tls from 'node:tls';

/**
 * Node's network modules, loaded when they are first used. They take longer to load than all else that a command does which
 * finds its model in the cache; an import statement would load them each time, also from a bundle.
 */
export const network = {
  get http(): typeof Http {
    return process.getBuiltinModule('node:http');
  },
  get https(): typeof Https {
    return process.getBuiltinModule('node:https');
  },
  get tls(): typeof Tls {
    return process.getBuiltinModule('node:tls');
  },
};
