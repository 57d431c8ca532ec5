; Fp8Block.4x3: 2165 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          ecx, [rdi+0x38]
    vmovups      zmm12, [r11]
    vmovups      zmm13, [r11+0x40]
    vmovups      zmm14, [r11+0x80]
    vmovups      zmm15, [r11+0xc0]
    vmovups      zmm16, [r11+0x100]
    vmovups      zmm17, [r11+0x140]
    vmovups      zmm18, [r11+0x180]
    vmovups      zmm19, [r11+0x1c0]
    vmovups      zmm20, [r11+0x200]
    vmovups      zmm21, [r11+0x240]
    vmovups      zmm22, [r11+0x280]
    vmovups      zmm23, [r11+0x2c0]
    mov          r9, [rdi+0x30]
    lea          rsi, [rel D1]
    vmovdqu64    zmm27, [rsi]
    vmovdqu64    zmm28, [rsi+0x40]
    vmovdqu64    zmm29, [rsi+0x80]
    vmovdqu64    zmm30, [rsi+0xc0]
    mov          esi, 0x80808080
    vpbroadcastd zmm31, esi
L1:
    vpxord       zmm0, zmm0, zmm0
    vpxord       zmm1, zmm1, zmm1
    vpxord       zmm2, zmm2, zmm2
    vpxord       zmm3, zmm3, zmm3
    vpxord       zmm4, zmm4, zmm4
    vpxord       zmm5, zmm5, zmm5
    vpxord       zmm6, zmm6, zmm6
    vpxord       zmm7, zmm7, zmm7
    vpxord       zmm8, zmm8, zmm8
    vpxord       zmm9, zmm9, zmm9
    vpxord       zmm10, zmm10, zmm10
    vpxord       zmm11, zmm11, zmm11
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm24, [rax]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm0, zmm26, [rdx]{1to16}
    vdpbf16ps    zmm0, zmm24, [rdx+0xc]{1to16}
    vdpbf16ps    zmm4, zmm26, [rdx+4]{1to16}
    vdpbf16ps    zmm4, zmm24, [rdx+0x10]{1to16}
    vdpbf16ps    zmm8, zmm26, [rdx+8]{1to16}
    vdpbf16ps    zmm8, zmm24, [rdx+0x14]{1to16}
    vmovdqu64    zmm24, [rax+0x40]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm1, zmm26, [rdx]{1to16}
    vdpbf16ps    zmm1, zmm24, [rdx+0xc]{1to16}
    vdpbf16ps    zmm5, zmm26, [rdx+4]{1to16}
    vdpbf16ps    zmm5, zmm24, [rdx+0x10]{1to16}
    vdpbf16ps    zmm9, zmm26, [rdx+8]{1to16}
    vdpbf16ps    zmm9, zmm24, [rdx+0x14]{1to16}
    vmovdqu64    zmm24, [rax+0x80]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm2, zmm26, [rdx]{1to16}
    vdpbf16ps    zmm2, zmm24, [rdx+0xc]{1to16}
    vdpbf16ps    zmm6, zmm26, [rdx+4]{1to16}
    vdpbf16ps    zmm6, zmm24, [rdx+0x10]{1to16}
    vdpbf16ps    zmm10, zmm26, [rdx+8]{1to16}
    vdpbf16ps    zmm10, zmm24, [rdx+0x14]{1to16}
    vmovdqu64    zmm24, [rax+0xc0]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm3, zmm26, [rdx]{1to16}
    vdpbf16ps    zmm3, zmm24, [rdx+0xc]{1to16}
    vdpbf16ps    zmm7, zmm26, [rdx+4]{1to16}
    vdpbf16ps    zmm7, zmm24, [rdx+0x10]{1to16}
    vdpbf16ps    zmm11, zmm26, [rdx+8]{1to16}
    vdpbf16ps    zmm11, zmm24, [rdx+0x14]{1to16}
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm24, [rax+0x100]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm0, zmm26, [rdx+0x18]{1to16}
    vdpbf16ps    zmm0, zmm24, [rdx+0x24]{1to16}
    vdpbf16ps    zmm4, zmm26, [rdx+0x1c]{1to16}
    vdpbf16ps    zmm4, zmm24, [rdx+0x28]{1to16}
    vdpbf16ps    zmm8, zmm26, [rdx+0x20]{1to16}
    vdpbf16ps    zmm8, zmm24, [rdx+0x2c]{1to16}
    vmovdqu64    zmm24, [rax+0x140]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm1, zmm26, [rdx+0x18]{1to16}
    vdpbf16ps    zmm1, zmm24, [rdx+0x24]{1to16}
    vdpbf16ps    zmm5, zmm26, [rdx+0x1c]{1to16}
    vdpbf16ps    zmm5, zmm24, [rdx+0x28]{1to16}
    vdpbf16ps    zmm9, zmm26, [rdx+0x20]{1to16}
    vdpbf16ps    zmm9, zmm24, [rdx+0x2c]{1to16}
    vmovdqu64    zmm24, [rax+0x180]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm2, zmm26, [rdx+0x18]{1to16}
    vdpbf16ps    zmm2, zmm24, [rdx+0x24]{1to16}
    vdpbf16ps    zmm6, zmm26, [rdx+0x1c]{1to16}
    vdpbf16ps    zmm6, zmm24, [rdx+0x28]{1to16}
    vdpbf16ps    zmm10, zmm26, [rdx+0x20]{1to16}
    vdpbf16ps    zmm10, zmm24, [rdx+0x2c]{1to16}
    vmovdqu64    zmm24, [rax+0x1c0]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm3, zmm26, [rdx+0x18]{1to16}
    vdpbf16ps    zmm3, zmm24, [rdx+0x24]{1to16}
    vdpbf16ps    zmm7, zmm26, [rdx+0x1c]{1to16}
    vdpbf16ps    zmm7, zmm24, [rdx+0x28]{1to16}
    vdpbf16ps    zmm11, zmm26, [rdx+0x20]{1to16}
    vdpbf16ps    zmm11, zmm24, [rdx+0x2c]{1to16}
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm24, [rax+0x200]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm0, zmm26, [rdx+0x30]{1to16}
    vdpbf16ps    zmm0, zmm24, [rdx+0x3c]{1to16}
    vdpbf16ps    zmm4, zmm26, [rdx+0x34]{1to16}
    vdpbf16ps    zmm4, zmm24, [rdx+0x40]{1to16}
    vdpbf16ps    zmm8, zmm26, [rdx+0x38]{1to16}
    vdpbf16ps    zmm8, zmm24, [rdx+0x44]{1to16}
    vmovdqu64    zmm24, [rax+0x240]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm1, zmm26, [rdx+0x30]{1to16}
    vdpbf16ps    zmm1, zmm24, [rdx+0x3c]{1to16}
    vdpbf16ps    zmm5, zmm26, [rdx+0x34]{1to16}
    vdpbf16ps    zmm5, zmm24, [rdx+0x40]{1to16}
    vdpbf16ps    zmm9, zmm26, [rdx+0x38]{1to16}
    vdpbf16ps    zmm9, zmm24, [rdx+0x44]{1to16}
    vmovdqu64    zmm24, [rax+0x280]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm2, zmm26, [rdx+0x30]{1to16}
    vdpbf16ps    zmm2, zmm24, [rdx+0x3c]{1to16}
    vdpbf16ps    zmm6, zmm26, [rdx+0x34]{1to16}
    vdpbf16ps    zmm6, zmm24, [rdx+0x40]{1to16}
    vdpbf16ps    zmm10, zmm26, [rdx+0x38]{1to16}
    vdpbf16ps    zmm10, zmm24, [rdx+0x44]{1to16}
    vmovdqu64    zmm24, [rax+0x2c0]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm3, zmm26, [rdx+0x30]{1to16}
    vdpbf16ps    zmm3, zmm24, [rdx+0x3c]{1to16}
    vdpbf16ps    zmm7, zmm26, [rdx+0x34]{1to16}
    vdpbf16ps    zmm7, zmm24, [rdx+0x40]{1to16}
    vdpbf16ps    zmm11, zmm26, [rdx+0x38]{1to16}
    vdpbf16ps    zmm11, zmm24, [rdx+0x44]{1to16}
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm24, [rax+0x300]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm0, zmm26, [rdx+0x48]{1to16}
    vdpbf16ps    zmm0, zmm24, [rdx+0x54]{1to16}
    vdpbf16ps    zmm4, zmm26, [rdx+0x4c]{1to16}
    vdpbf16ps    zmm4, zmm24, [rdx+0x58]{1to16}
    vdpbf16ps    zmm8, zmm26, [rdx+0x50]{1to16}
    vdpbf16ps    zmm8, zmm24, [rdx+0x5c]{1to16}
    vmovdqu64    zmm24, [rax+0x340]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm1, zmm26, [rdx+0x48]{1to16}
    vdpbf16ps    zmm1, zmm24, [rdx+0x54]{1to16}
    vdpbf16ps    zmm5, zmm26, [rdx+0x4c]{1to16}
    vdpbf16ps    zmm5, zmm24, [rdx+0x58]{1to16}
    vdpbf16ps    zmm9, zmm26, [rdx+0x50]{1to16}
    vdpbf16ps    zmm9, zmm24, [rdx+0x5c]{1to16}
    vmovdqu64    zmm24, [rax+0x380]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm2, zmm26, [rdx+0x48]{1to16}
    vdpbf16ps    zmm2, zmm24, [rdx+0x54]{1to16}
    vdpbf16ps    zmm6, zmm26, [rdx+0x4c]{1to16}
    vdpbf16ps    zmm6, zmm24, [rdx+0x58]{1to16}
    vdpbf16ps    zmm10, zmm26, [rdx+0x50]{1to16}
    vdpbf16ps    zmm10, zmm24, [rdx+0x5c]{1to16}
    vmovdqu64    zmm24, [rax+0x3c0]
    vmovdqa64    zmm25, zmm24
    vpermi2b     zmm25, zmm27, zmm28
    vpternlogd   zmm25, zmm24, zmm31, 0xf8
    vpermi2b     zmm24, zmm29, zmm30
    vpunpcklbw   zmm26, zmm24, zmm25
    vpunpckhbw   zmm24, zmm24, zmm25
    vdpbf16ps    zmm3, zmm26, [rdx+0x48]{1to16}
    vdpbf16ps    zmm3, zmm24, [rdx+0x54]{1to16}
    vdpbf16ps    zmm7, zmm26, [rdx+0x4c]{1to16}
    vdpbf16ps    zmm7, zmm24, [rdx+0x58]{1to16}
    vdpbf16ps    zmm11, zmm26, [rdx+0x50]{1to16}
    vdpbf16ps    zmm11, zmm24, [rdx+0x5c]{1to16}
    add          rax, 0x400
    add          rdx, 0x60
    dec          esi
    jne          near L2
    vfmadd231ps  zmm12, zmm0, [r9]{1to16}
    vfmadd231ps  zmm13, zmm1, [r9+4]{1to16}
    vfmadd231ps  zmm14, zmm2, [r9+8]{1to16}
    vfmadd231ps  zmm15, zmm3, [r9+0xc]{1to16}
    vfmadd231ps  zmm16, zmm4, [r9]{1to16}
    vfmadd231ps  zmm17, zmm5, [r9+4]{1to16}
    vfmadd231ps  zmm18, zmm6, [r9+8]{1to16}
    vfmadd231ps  zmm19, zmm7, [r9+0xc]{1to16}
    vfmadd231ps  zmm20, zmm8, [r9]{1to16}
    vfmadd231ps  zmm21, zmm9, [r9+4]{1to16}
    vfmadd231ps  zmm22, zmm10, [r9+8]{1to16}
    vfmadd231ps  zmm23, zmm11, [r9+0xc]{1to16}
    add          r9, 0x10
    dec          ecx
    jne          near L1
    vmovups      [r11], zmm12
    vmovups      [r11+0x40], zmm13
    vmovups      [r11+0x80], zmm14
    vmovups      [r11+0xc0], zmm15
    vmovups      [r11+0x100], zmm16
    vmovups      [r11+0x140], zmm17
    vmovups      [r11+0x180], zmm18
    vmovups      [r11+0x1c0], zmm19
    vmovups      [r11+0x200], zmm20
    vmovups      [r11+0x240], zmm21
    vmovups      [r11+0x280], zmm22
    vmovups      [r11+0x2c0], zmm23
    vzeroupper
    ret
D1:
    db           0x00, 0x3b, 0x3b, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c
    db           0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d
    db           0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e
    db           0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f
    db           0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40
    db           0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41
    db           0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42
    db           0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0xff
    db           0x00, 0x00, 0x80, 0xc0, 0x00, 0x20, 0x40, 0x60, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0
    db           0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0
    db           0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0
    db           0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0
    db           0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0
    db           0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0
    db           0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0
    db           0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xc0
