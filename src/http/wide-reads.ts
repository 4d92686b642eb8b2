import type { Agent, AgentOptions } from 'node:http';
import type { Socket } from 'node:net';
import { builtins } from '../core/builtins.ts';

/** What one read of a connection may bring; Node's own reads bring 64 KiB. */
const readBytes = 1024 * 1024;

/** The newest Node whose parser is known to hand on copies of what it was given; a later one reads as it likes. */
const knownNode = 26;

/**
 * An agent for plain http whose connections read up to a megabyte at once, always into the same buffer: between fast machines most
 * of the time goes into reading otherwise. (TLS comes in records of 16 KiB, however much is read.)
 */
export function createWideAgent(options: AgentOptions): Agent {
  const agent = new builtins.http.Agent(options);
  if (Number.parseInt(process.versions.node, 10) > knownNode) return agent;
  agent.createConnection = (target) => {
    const socket: Socket = builtins.net.connect({
      ...(target as { port: number }),
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback(length, bytes) {
          // The parser of answers listens.
          socket.emit('data', Buffer.from(bytes.buffer, 0, length));
          return true;
        },
      },
    });
    return socket;
  };
  return agent;
}
