#!/usr/bin/env node
// CommonJS, and nothing but this: the size of libuv's thread pool is read when the pool is first used, and to load an ES module
// uses it. Eight threads, because a volume that hangs keeps up to three of them (WRITES_AT_ONCE of a copy).
process.env['UV_THREADPOOL_SIZE'] ??= '8'

void import('./main.ts')
