import { faultSuite } from '../support/faults/suite.js';
import { startProxy, type Proxy } from '../support/faults/proxy.js';
import { startStack } from '../support/stack.js';
import { engineConnectionScenarios } from './scenarios/engine.js';

let proxy: Proxy | undefined;

faultSuite(
  'engine-connection',
  engineConnectionScenarios(() => {
    if (proxy === undefined) throw new Error('The proxy was not started');
    return proxy;
  }),
  async () => {
    proxy = await startProxy({ path: '/var/run/docker.sock' });
    const host = `tcp://127.0.0.1:${String(proxy.port)}`;
    return await startStack({ engine: { docker: { host } }, prometheus: false });
  },
);
