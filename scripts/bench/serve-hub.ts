import { startHub } from '../../src/rehearsal/hub/server.ts';

/**
 * `node serve-hub.ts STATE OWNER/NAME TOKEN`: a stand-in of the Hub of its own process, with an
 * empty repository; prints its URL.
 */
const [stateDirectory = '.', repository = '', token = ''] = process.argv.slice(2);
const [user = ''] = repository.split('/');
const hub = await startHub({ stateDirectory, accounts: { [token]: { user, role: 'write' } } });
await hub.createRepository(repository);
console.log(hub.url);
