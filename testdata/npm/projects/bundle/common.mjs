// What the three bundlers share. TOOLS is a folder whose node_modules has them.
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'
import merge from 'deepmerge'

export const root = import.meta.dirname
export const tool = createRequire(path.join(process.env.TOOLS, 'tools.js'))
export const { entries, external } = merge({ entries: {} }, {
  entries: { main: './src/main.js', admin: './src/admin.js' },
  external: ['isarray'],
})

export function write(dir, name, value) {
  fs.mkdirSync(path.join(root, dir), { recursive: true })
  fs.writeFileSync(path.join(root, dir, name), JSON.stringify(value, null, 1) + '\n')
}

// The package of a file: the nearest package.json above it with a name and a version.
function owner(file) {
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    const manifest = path.join(dir, 'package.json')
    if (fs.existsSync(manifest)) {
      const { name, version } = JSON.parse(fs.readFileSync(manifest, 'utf8'))
      if (name && version) return `${name}@${version}`
    }
    if (dir === path.dirname(dir)) throw new Error(`no package holds ${file}`)
  }
}

// truth.json: of each package, how many files the bundler itself says it kept.
export function truth(dir, files) {
  const packages = {}
  for (const file of [...new Set([...files].map(f => fs.realpathSync(path.resolve(root, f))))].sort())
    (packages[owner(file)] ??= { files: 0 }).files++
  write(dir, 'truth.json', { packages: Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1))) })
}
