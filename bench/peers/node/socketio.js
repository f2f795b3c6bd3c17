// The usual socket.io server: one room, WebSocket as the only transport, no compression.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const http = createServer()
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, httpCompression: false })

io.on('connection', (socket) => {
  socket.join('bench')
  socket.on('message', (text) => io.to('bench').emit('message', text))
})
http.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 })
