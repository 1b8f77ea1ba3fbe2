"""The demuxers and decoders that recordings may use, by FFmpeg's names; the rest of FFmpeg stays out of reach.

No name may be added whose demuxer opens other files or addresses: playlists, manifests, sessions, image sequences.
"""

DEMUXERS = (
    "aac",
    "ac3",
    "aiff",
    "amr",
    "ape",
    "asf",
    "au",
    "avi",
    "caf",
    "dts",
    "eac3",
    "flac",
    "flv",
    "matroska",
    "mov",
    "mp3",
    "mpc",
    "mpc8",
    "mpeg",
    "mpegts",
    "ogg",
    "tta",
    "w64",
    "wav",
    "wv",
)

# Video decoders are missing on purpose: with this list FFmpeg does not even run one to find out a frame size.
DECODERS = (
    *("aac", "aac_latm", "ac3", "eac3", "dca", "mp1float", "mp2float", "mp3float", "mp1", "mp2", "mp3"),
    *("vorbis", "opus", "libopus", "speex", "flac", "alac", "wavpack", "tta", "ape", "mpc7", "mpc8"),
    *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms", "ilbc", "g722", "g726", "g726le"),
    *("g723_1", "g729", "wmav1", "wmav2", "wmapro", "wmavoice", "wmalossless", "truespeech", "nellymoser"),
    *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_swf", "adpcm_yamaha", "mace3", "mace6"),
    *("pcm_alaw", "pcm_mulaw", "pcm_bluray", "pcm_dvd", "pcm_s8", "pcm_u8", "pcm_s8_planar"),
    *("pcm_s16le", "pcm_s16be", "pcm_s16le_planar", "pcm_s16be_planar", "pcm_u16le", "pcm_u16be"),
    *("pcm_s24le", "pcm_s24be", "pcm_s24le_planar", "pcm_u24le", "pcm_u24be"),
    *("pcm_s32le", "pcm_s32be", "pcm_s32le_planar", "pcm_u32le", "pcm_u32be", "pcm_s64le", "pcm_s64be"),
    *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
)
