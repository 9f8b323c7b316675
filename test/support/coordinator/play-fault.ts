import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultAction } from './faults.js';
import { reply, type Answer } from './http.js';

/** Answers a request as usual, or as the fault has it. */
export async function answerWith(
  fault: FaultAction | undefined,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  usual: () => Promise<Answer> | Answer,
): Promise<void> {
  switch (fault?.kind) {
    case undefined:
      return reply(response, await usual());
    case 'status':
      return reply(response, {
        status: fault.status,
        ...(fault.headers === undefined ? {} : { headers: fault.headers }),
      });
    case 'reset':
      return void request.socket.destroy();
    case 'hang':
      await delay(fault.ms);
      return void request.socket.destroy();
    case 'slow':
      await delay(fault.ms);
      return reply(response, await usual());
    case 'holdAnswer': {
      const held = await usual();
      await Promise.race([delay(fault.ms, undefined, { ref: false }), once(request.socket, 'close')]);
      return reply(response, held);
    }
    case 'loseAnswer':
      await usual();
      return void request.socket.destroy();
    case 'halfAnswer': {
      const { status, headers, body = '{"half":' } = await usual();
      const bytes = Buffer.from(body);
      response.writeHead(status, { ...headers, 'Content-Length': String(bytes.length + 100) });
      response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
      await delay(50);
      return void request.socket.destroy();
    }
  }
}
