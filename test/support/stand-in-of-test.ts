import { onTestFinished } from 'vitest';
import { createHttp, type Http } from '../../src/gitlab/http.js';
import { startStandIn, type SeenRequest, type StandIn, type StandInAnswer } from './http-stand-in.js';

/** A server that ends with the test that asks for it. */
export async function server(answer: (request: SeenRequest) => StandInAnswer): Promise<StandIn> {
  const standIn = await startStandIn(answer);
  onTestFinished(() => standIn.close());
  return standIn;
}

/** A client that ends with the test. */
export function httpOf(url: string): Http {
  const http = createHttp({ url });
  onTestFinished(() => http.close());
  return http;
}
