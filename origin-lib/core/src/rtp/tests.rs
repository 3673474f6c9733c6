mod clock;
mod demux;
mod held;
mod keys;
mod sdp;
mod sources;
mod stun;
