import type { Agent, AgentOptions } from 'node:http';
import type { Socket } from 'node:net';
import { builtins } from '../../core/builtins.ts';

/** What one read of a connection may bring; Node's own reads bring 64 KiB. */
const readBytes = 1024 * 1024;

/**
 * An agent for plain http whose connections read up to a megabyte at once, always into the same buffer: between fast machines most
 * of the time goes into reading otherwise. (TLS comes in records of 16 KiB, however much is read.)
 */
export function createWideAgent(options: AgentOptions): Agent {
  const agent = new builtins.http.Agent(options);
  agent.createConnection = (target) => {
    const socket: Socket = builtins.net.connect({
      ...(target as { port: number }),
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback(length, bytes) {
          // Node's parser of answers listens; what it hands on is a copy.
          socket.emit('data', Buffer.from(bytes.buffer, 0, length));
          return true;
        },
      },
    });
    return socket;
  };
  return agent;
}
