import fs from 'node:fs'
import path from 'node:path'
import { entries, external, root, tool, truth, write } from './common.mjs'

const dir = 'dist-rollup'
process.chdir(root)
const plain = {
  name: 'plain',
  transform(source, id) {
    if (id.endsWith('.json')) return { code: `export default ${source}`, map: { mappings: '' } }
    if (id.endsWith('.ts')) return tool('esbuild').transformSync(source, { loader: 'ts', sourcemap: 'external', sourcefile: id })
    if (id.endsWith('.css')) {
      this.emitFile({ type: 'asset', name: path.basename(id), source: fs.readFileSync(id) })
      return { code: '', map: { mappings: '' }, moduleSideEffects: true }
    }
  },
}
const bundle = await tool('rollup').rollup({
  input: entries,
  external,
  plugins: [tool('@rollup/plugin-node-resolve').nodeResolve({ browser: true }), plain, tool('@rollup/plugin-commonjs')()],
})
const { output } = await bundle.write({ dir, format: 'es', sourcemap: true })
await bundle.close()
write(dir, 'stats.json', { output: output.map(({ code, source, map, ...rest }) => rest) })
truth(dir, output.flatMap(o => Object.entries(o.modules ?? {}))
  .filter(([id, m]) => !id.startsWith('\0') && m.renderedLength > 0).map(([id]) => id))
