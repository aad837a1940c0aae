import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, hasProgram, runScript, startDaemon, waitUntil } from '../command.ts'
import type { Contender, Scene } from '../contender.ts'
import { answers } from './rsync.ts'

/** curl PUTs all logs over one connection to nginx's WebDAV, which writes and renames them; one `syncfs` at the end. */
export const CURL_NGINX: Contender = {
  name: 'curl → nginx WebDAV + syncfs',
  verified: 'no',
  durable: 'once, at the end',
  missing: () =>
    hasProgram('nginx') && hasProgram('curl') ? null : "Debian's packages nginx-light and curl are absent",
  prepare: async (scene) => {
    const port = await freePort()
    const config = writeConfiguration(scene, port)
    const daemon = await startDaemon('nginx', ['-c', config, '-p', scene.scratch])
    await waitUntil(`nginx listens: ${daemon.complaint()}`, () => answers(port))
    const uploads = writeUploads(scene, port)
    return {
      daemons: [daemon.pid],
      arrived: scene.target,
      run: (started) => {
        const command = runScript('curl -K "$1" && sync -f "$2"', [uploads, scene.target])
        started(command.pid)
        return command.done
      },
      close: () => daemon.stop(),
    }
  },
}

function writeConfiguration(scene: Scene, port: number): string {
  const path = join(scene.scratch, 'nginx.conf')
  const temporary = join(scene.scratch, 'bodies')
  mkdirSync(temporary)
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  writeFileSync(
    path,
    `${user} daemon off; worker_processes 1; pid ${scene.scratch}/nginx.pid; error_log stderr error;
events { worker_connections 64; }
http {
  access_log off; client_max_body_size 0; keepalive_requests 1000000;
  client_body_temp_path ${temporary}; proxy_temp_path ${temporary}; fastcgi_temp_path ${temporary};
  uwsgi_temp_path ${temporary}; scgi_temp_path ${temporary};
  server { listen 127.0.0.1:${port}; root ${scene.target}; location / { dav_methods PUT; } }
}
`,
  )
  return path
}

function writeUploads(scene: Scene, port: number): string {
  const path = join(scene.scratch, 'uploads')
  const transfers = scene.names.map(
    (name) => `upload-file = "${join(scene.source, name)}"\nurl = "http://127.0.0.1:${port}/${name}"`,
  )
  // Without the empty Expect header curl asks for leave before each body.
  writeFileSync(path, `silent\nshow-error\nfail\nheader = "Expect:"\n${transfers.join('\n')}\n`)
  return path
}
