; Bf16.4x6: 1354 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          ecx, [rdi+0x38]
    vmovups      zmm0, [r11]
    vmovups      zmm1, [r11+0x40]
    vmovups      zmm2, [r11+0x80]
    vmovups      zmm3, [r11+0xc0]
    vmovups      zmm4, [r11+0x100]
    vmovups      zmm5, [r11+0x140]
    vmovups      zmm6, [r11+0x180]
    vmovups      zmm7, [r11+0x1c0]
    vmovups      zmm8, [r11+0x200]
    vmovups      zmm9, [r11+0x240]
    vmovups      zmm10, [r11+0x280]
    vmovups      zmm11, [r11+0x2c0]
    vmovups      zmm12, [r11+0x300]
    vmovups      zmm13, [r11+0x340]
    vmovups      zmm14, [r11+0x380]
    vmovups      zmm15, [r11+0x3c0]
    vmovups      zmm16, [r11+0x400]
    vmovups      zmm17, [r11+0x440]
    vmovups      zmm18, [r11+0x480]
    vmovups      zmm19, [r11+0x4c0]
    vmovups      zmm20, [r11+0x500]
    vmovups      zmm21, [r11+0x540]
    vmovups      zmm22, [r11+0x580]
    vmovups      zmm23, [r11+0x5c0]
L1:
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm24, [rax]
    vmovdqu64    zmm25, [rax+0x40]
    vmovdqu64    zmm26, [rax+0x80]
    vmovdqu64    zmm27, [rax+0xc0]
    vpbroadcastd zmm28, [rdx]
    vdpbf16ps    zmm0, zmm24, zmm28
    vdpbf16ps    zmm1, zmm25, zmm28
    vdpbf16ps    zmm2, zmm26, zmm28
    vdpbf16ps    zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+4]
    vdpbf16ps    zmm4, zmm24, zmm28
    vdpbf16ps    zmm5, zmm25, zmm28
    vdpbf16ps    zmm6, zmm26, zmm28
    vdpbf16ps    zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+8]
    vdpbf16ps    zmm8, zmm24, zmm28
    vdpbf16ps    zmm9, zmm25, zmm28
    vdpbf16ps    zmm10, zmm26, zmm28
    vdpbf16ps    zmm11, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0xc]
    vdpbf16ps    zmm12, zmm24, zmm28
    vdpbf16ps    zmm13, zmm25, zmm28
    vdpbf16ps    zmm14, zmm26, zmm28
    vdpbf16ps    zmm15, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x10]
    vdpbf16ps    zmm16, zmm24, zmm28
    vdpbf16ps    zmm17, zmm25, zmm28
    vdpbf16ps    zmm18, zmm26, zmm28
    vdpbf16ps    zmm19, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x14]
    vdpbf16ps    zmm20, zmm24, zmm28
    vdpbf16ps    zmm21, zmm25, zmm28
    vdpbf16ps    zmm22, zmm26, zmm28
    vdpbf16ps    zmm23, zmm27, zmm28
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm24, [rax+0x100]
    vmovdqu64    zmm25, [rax+0x140]
    vmovdqu64    zmm26, [rax+0x180]
    vmovdqu64    zmm27, [rax+0x1c0]
    vpbroadcastd zmm28, [rdx+0x18]
    vdpbf16ps    zmm0, zmm24, zmm28
    vdpbf16ps    zmm1, zmm25, zmm28
    vdpbf16ps    zmm2, zmm26, zmm28
    vdpbf16ps    zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x1c]
    vdpbf16ps    zmm4, zmm24, zmm28
    vdpbf16ps    zmm5, zmm25, zmm28
    vdpbf16ps    zmm6, zmm26, zmm28
    vdpbf16ps    zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x20]
    vdpbf16ps    zmm8, zmm24, zmm28
    vdpbf16ps    zmm9, zmm25, zmm28
    vdpbf16ps    zmm10, zmm26, zmm28
    vdpbf16ps    zmm11, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x24]
    vdpbf16ps    zmm12, zmm24, zmm28
    vdpbf16ps    zmm13, zmm25, zmm28
    vdpbf16ps    zmm14, zmm26, zmm28
    vdpbf16ps    zmm15, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x28]
    vdpbf16ps    zmm16, zmm24, zmm28
    vdpbf16ps    zmm17, zmm25, zmm28
    vdpbf16ps    zmm18, zmm26, zmm28
    vdpbf16ps    zmm19, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x2c]
    vdpbf16ps    zmm20, zmm24, zmm28
    vdpbf16ps    zmm21, zmm25, zmm28
    vdpbf16ps    zmm22, zmm26, zmm28
    vdpbf16ps    zmm23, zmm27, zmm28
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm24, [rax+0x200]
    vmovdqu64    zmm25, [rax+0x240]
    vmovdqu64    zmm26, [rax+0x280]
    vmovdqu64    zmm27, [rax+0x2c0]
    vpbroadcastd zmm28, [rdx+0x30]
    vdpbf16ps    zmm0, zmm24, zmm28
    vdpbf16ps    zmm1, zmm25, zmm28
    vdpbf16ps    zmm2, zmm26, zmm28
    vdpbf16ps    zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x34]
    vdpbf16ps    zmm4, zmm24, zmm28
    vdpbf16ps    zmm5, zmm25, zmm28
    vdpbf16ps    zmm6, zmm26, zmm28
    vdpbf16ps    zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x38]
    vdpbf16ps    zmm8, zmm24, zmm28
    vdpbf16ps    zmm9, zmm25, zmm28
    vdpbf16ps    zmm10, zmm26, zmm28
    vdpbf16ps    zmm11, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x3c]
    vdpbf16ps    zmm12, zmm24, zmm28
    vdpbf16ps    zmm13, zmm25, zmm28
    vdpbf16ps    zmm14, zmm26, zmm28
    vdpbf16ps    zmm15, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x40]
    vdpbf16ps    zmm16, zmm24, zmm28
    vdpbf16ps    zmm17, zmm25, zmm28
    vdpbf16ps    zmm18, zmm26, zmm28
    vdpbf16ps    zmm19, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x44]
    vdpbf16ps    zmm20, zmm24, zmm28
    vdpbf16ps    zmm21, zmm25, zmm28
    vdpbf16ps    zmm22, zmm26, zmm28
    vdpbf16ps    zmm23, zmm27, zmm28
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm24, [rax+0x300]
    vmovdqu64    zmm25, [rax+0x340]
    vmovdqu64    zmm26, [rax+0x380]
    vmovdqu64    zmm27, [rax+0x3c0]
    vpbroadcastd zmm28, [rdx+0x48]
    vdpbf16ps    zmm0, zmm24, zmm28
    vdpbf16ps    zmm1, zmm25, zmm28
    vdpbf16ps    zmm2, zmm26, zmm28
    vdpbf16ps    zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x4c]
    vdpbf16ps    zmm4, zmm24, zmm28
    vdpbf16ps    zmm5, zmm25, zmm28
    vdpbf16ps    zmm6, zmm26, zmm28
    vdpbf16ps    zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x50]
    vdpbf16ps    zmm8, zmm24, zmm28
    vdpbf16ps    zmm9, zmm25, zmm28
    vdpbf16ps    zmm10, zmm26, zmm28
    vdpbf16ps    zmm11, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x54]
    vdpbf16ps    zmm12, zmm24, zmm28
    vdpbf16ps    zmm13, zmm25, zmm28
    vdpbf16ps    zmm14, zmm26, zmm28
    vdpbf16ps    zmm15, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x58]
    vdpbf16ps    zmm16, zmm24, zmm28
    vdpbf16ps    zmm17, zmm25, zmm28
    vdpbf16ps    zmm18, zmm26, zmm28
    vdpbf16ps    zmm19, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x5c]
    vdpbf16ps    zmm20, zmm24, zmm28
    vdpbf16ps    zmm21, zmm25, zmm28
    vdpbf16ps    zmm22, zmm26, zmm28
    vdpbf16ps    zmm23, zmm27, zmm28
    add          rax, 0x400
    add          rdx, 0x60
    dec          esi
    jne          near L2
    dec          ecx
    jne          near L1
    vmovups      [r11], zmm0
    vmovups      [r11+0x40], zmm1
    vmovups      [r11+0x80], zmm2
    vmovups      [r11+0xc0], zmm3
    vmovups      [r11+0x100], zmm4
    vmovups      [r11+0x140], zmm5
    vmovups      [r11+0x180], zmm6
    vmovups      [r11+0x1c0], zmm7
    vmovups      [r11+0x200], zmm8
    vmovups      [r11+0x240], zmm9
    vmovups      [r11+0x280], zmm10
    vmovups      [r11+0x2c0], zmm11
    vmovups      [r11+0x300], zmm12
    vmovups      [r11+0x340], zmm13
    vmovups      [r11+0x380], zmm14
    vmovups      [r11+0x3c0], zmm15
    vmovups      [r11+0x400], zmm16
    vmovups      [r11+0x440], zmm17
    vmovups      [r11+0x480], zmm18
    vmovups      [r11+0x4c0], zmm19
    vmovups      [r11+0x500], zmm20
    vmovups      [r11+0x540], zmm21
    vmovups      [r11+0x580], zmm22
    vmovups      [r11+0x5c0], zmm23
    vzeroupper
    ret
