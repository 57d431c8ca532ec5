; Int8Group32Min.4x3: 1939 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x38]
L1:
    vpxord       zmm12, zmm12, zmm12
    vpxord       zmm13, zmm13, zmm13
    vpxord       zmm14, zmm14, zmm14
    vpxord       zmm15, zmm15, zmm15
    vpxord       zmm16, zmm16, zmm16
    vpxord       zmm17, zmm17, zmm17
    vpxord       zmm18, zmm18, zmm18
    vpxord       zmm19, zmm19, zmm19
    vpxord       zmm20, zmm20, zmm20
    vpxord       zmm21, zmm21, zmm21
    vpxord       zmm22, zmm22, zmm22
    vpxord       zmm23, zmm23, zmm23
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
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
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm24, [rax]
    vmovdqu64    zmm25, [rax+0x40]
    vmovdqu64    zmm26, [rax+0x80]
    vmovdqu64    zmm27, [rax+0xc0]
    vpbroadcastd zmm28, [rdx]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+4]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+8]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm24, [rax+0x100]
    vmovdqu64    zmm25, [rax+0x140]
    vmovdqu64    zmm26, [rax+0x180]
    vmovdqu64    zmm27, [rax+0x1c0]
    vpbroadcastd zmm28, [rdx+0xc]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x10]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x14]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm24, [rax+0x200]
    vmovdqu64    zmm25, [rax+0x240]
    vmovdqu64    zmm26, [rax+0x280]
    vmovdqu64    zmm27, [rax+0x2c0]
    vpbroadcastd zmm28, [rdx+0x18]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x1c]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x20]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm24, [rax+0x300]
    vmovdqu64    zmm25, [rax+0x340]
    vmovdqu64    zmm26, [rax+0x380]
    vmovdqu64    zmm27, [rax+0x3c0]
    vpbroadcastd zmm28, [rdx+0x24]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x28]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x2c]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    prefetcht0   [rax+0x2400]
    prefetcht0   [rax+0x2440]
    prefetcht0   [rax+0x2480]
    prefetcht0   [rax+0x24c0]
    vmovdqu64    zmm24, [rax+0x400]
    vmovdqu64    zmm25, [rax+0x440]
    vmovdqu64    zmm26, [rax+0x480]
    vmovdqu64    zmm27, [rax+0x4c0]
    vpbroadcastd zmm28, [rdx+0x30]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x34]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x38]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    prefetcht0   [rax+0x2500]
    prefetcht0   [rax+0x2540]
    prefetcht0   [rax+0x2580]
    prefetcht0   [rax+0x25c0]
    vmovdqu64    zmm24, [rax+0x500]
    vmovdqu64    zmm25, [rax+0x540]
    vmovdqu64    zmm26, [rax+0x580]
    vmovdqu64    zmm27, [rax+0x5c0]
    vpbroadcastd zmm28, [rdx+0x3c]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x40]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x44]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    prefetcht0   [rax+0x2600]
    prefetcht0   [rax+0x2640]
    prefetcht0   [rax+0x2680]
    prefetcht0   [rax+0x26c0]
    vmovdqu64    zmm24, [rax+0x600]
    vmovdqu64    zmm25, [rax+0x640]
    vmovdqu64    zmm26, [rax+0x680]
    vmovdqu64    zmm27, [rax+0x6c0]
    vpbroadcastd zmm28, [rdx+0x48]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x4c]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x50]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    prefetcht0   [rax+0x2700]
    prefetcht0   [rax+0x2740]
    prefetcht0   [rax+0x2780]
    prefetcht0   [rax+0x27c0]
    vmovdqu64    zmm24, [rax+0x700]
    vmovdqu64    zmm25, [rax+0x740]
    vmovdqu64    zmm26, [rax+0x780]
    vmovdqu64    zmm27, [rax+0x7c0]
    vpbroadcastd zmm28, [rdx+0x54]
    vpdpbusd     zmm0, zmm24, zmm28
    vpdpbusd     zmm1, zmm25, zmm28
    vpdpbusd     zmm2, zmm26, zmm28
    vpdpbusd     zmm3, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x58]
    vpdpbusd     zmm4, zmm24, zmm28
    vpdpbusd     zmm5, zmm25, zmm28
    vpdpbusd     zmm6, zmm26, zmm28
    vpdpbusd     zmm7, zmm27, zmm28
    vpbroadcastd zmm28, [rdx+0x5c]
    vpdpbusd     zmm8, zmm24, zmm28
    vpdpbusd     zmm9, zmm25, zmm28
    vpdpbusd     zmm10, zmm26, zmm28
    vpdpbusd     zmm11, zmm27, zmm28
    add          rax, 0x800
    add          rdx, 0x60
    vcvtph2ps    zmm24, [rax]
    vcvtph2ps    zmm25, [rax+0x20]
    vcvtph2ps    zmm26, [rax+0x40]
    vcvtph2ps    zmm27, [rax+0x60]
    vcvtdq2ps    zmm0, zmm0
    vfmadd231ps  zmm12, zmm0, zmm24
    vcvtdq2ps    zmm1, zmm1
    vfmadd231ps  zmm13, zmm1, zmm25
    vcvtdq2ps    zmm2, zmm2
    vfmadd231ps  zmm14, zmm2, zmm26
    vcvtdq2ps    zmm3, zmm3
    vfmadd231ps  zmm15, zmm3, zmm27
    vcvtdq2ps    zmm4, zmm4
    vfmadd231ps  zmm16, zmm4, zmm24
    vcvtdq2ps    zmm5, zmm5
    vfmadd231ps  zmm17, zmm5, zmm25
    vcvtdq2ps    zmm6, zmm6
    vfmadd231ps  zmm18, zmm6, zmm26
    vcvtdq2ps    zmm7, zmm7
    vfmadd231ps  zmm19, zmm7, zmm27
    vcvtdq2ps    zmm8, zmm8
    vfmadd231ps  zmm20, zmm8, zmm24
    vcvtdq2ps    zmm9, zmm9
    vfmadd231ps  zmm21, zmm9, zmm25
    vcvtdq2ps    zmm10, zmm10
    vfmadd231ps  zmm22, zmm10, zmm26
    vcvtdq2ps    zmm11, zmm11
    vfmadd231ps  zmm23, zmm11, zmm27
    vcvtph2ps    zmm24, [rax+0x80]
    vfnmadd231ps zmm12, zmm24, [r10]{1to16}
    vfnmadd231ps zmm16, zmm24, [r10+4]{1to16}
    vfnmadd231ps zmm20, zmm24, [r10+8]{1to16}
    vcvtph2ps    zmm25, [rax+0xa0]
    vfnmadd231ps zmm13, zmm25, [r10]{1to16}
    vfnmadd231ps zmm17, zmm25, [r10+4]{1to16}
    vfnmadd231ps zmm21, zmm25, [r10+8]{1to16}
    vcvtph2ps    zmm26, [rax+0xc0]
    vfnmadd231ps zmm14, zmm26, [r10]{1to16}
    vfnmadd231ps zmm18, zmm26, [r10+4]{1to16}
    vfnmadd231ps zmm22, zmm26, [r10+8]{1to16}
    vcvtph2ps    zmm27, [rax+0xe0]
    vfnmadd231ps zmm15, zmm27, [r10]{1to16}
    vfnmadd231ps zmm19, zmm27, [r10+4]{1to16}
    vfnmadd231ps zmm23, zmm27, [r10+8]{1to16}
    add          r10, 0xc
    add          rax, 0x100
    dec          esi
    jne          near L2
    vmovups      zmm24, [r11]
    vfmadd231ps  zmm24, zmm12, [r8]{1to16}
    vmovups      [r11], zmm24
    vmovups      zmm25, [r11+0x40]
    vfmadd231ps  zmm25, zmm13, [r8]{1to16}
    vmovups      [r11+0x40], zmm25
    vmovups      zmm26, [r11+0x80]
    vfmadd231ps  zmm26, zmm14, [r8]{1to16}
    vmovups      [r11+0x80], zmm26
    vmovups      zmm27, [r11+0xc0]
    vfmadd231ps  zmm27, zmm15, [r8]{1to16}
    vmovups      [r11+0xc0], zmm27
    vmovups      zmm24, [r11+0x100]
    vfmadd231ps  zmm24, zmm16, [r8+4]{1to16}
    vmovups      [r11+0x100], zmm24
    vmovups      zmm25, [r11+0x140]
    vfmadd231ps  zmm25, zmm17, [r8+4]{1to16}
    vmovups      [r11+0x140], zmm25
    vmovups      zmm26, [r11+0x180]
    vfmadd231ps  zmm26, zmm18, [r8+4]{1to16}
    vmovups      [r11+0x180], zmm26
    vmovups      zmm27, [r11+0x1c0]
    vfmadd231ps  zmm27, zmm19, [r8+4]{1to16}
    vmovups      [r11+0x1c0], zmm27
    vmovups      zmm24, [r11+0x200]
    vfmadd231ps  zmm24, zmm20, [r8+8]{1to16}
    vmovups      [r11+0x200], zmm24
    vmovups      zmm25, [r11+0x240]
    vfmadd231ps  zmm25, zmm21, [r8+8]{1to16}
    vmovups      [r11+0x240], zmm25
    vmovups      zmm26, [r11+0x280]
    vfmadd231ps  zmm26, zmm22, [r8+8]{1to16}
    vmovups      [r11+0x280], zmm26
    vmovups      zmm27, [r11+0x2c0]
    vfmadd231ps  zmm27, zmm23, [r8+8]{1to16}
    vmovups      [r11+0x2c0], zmm27
    add          r8, 0xc
    dec          ecx
    jne          near L1
    vzeroupper
    ret
