; Int4Group32Min.4x3: 1881 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x30]
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
    mov          esi, 0xf0f0f0f
    vpbroadcastd zmm29, esi
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
    add          r9, 0xc
    mov          esi, [rdi+0x34]
    cmp          ecx, 1
    cmove        esi, [rdi+0x38]
L2:
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vpandd       zmm24, zmm29, [rax]
    vpandd       zmm25, zmm29, [rax+0x40]
    vpandd       zmm26, zmm29, [rax+0x80]
    vpandd       zmm27, zmm29, [rax+0xc0]
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
    vpsrld       zmm24, [rax], 4
    vpandd       zmm24, zmm24, zmm29
    vpsrld       zmm25, [rax+0x40], 4
    vpandd       zmm25, zmm25, zmm29
    vpsrld       zmm26, [rax+0x80], 4
    vpandd       zmm26, zmm26, zmm29
    vpsrld       zmm27, [rax+0xc0], 4
    vpandd       zmm27, zmm27, zmm29
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
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vpandd       zmm24, zmm29, [rax+0x100]
    vpandd       zmm25, zmm29, [rax+0x140]
    vpandd       zmm26, zmm29, [rax+0x180]
    vpandd       zmm27, zmm29, [rax+0x1c0]
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
    vpsrld       zmm24, [rax+0x100], 4
    vpandd       zmm24, zmm24, zmm29
    vpsrld       zmm25, [rax+0x140], 4
    vpandd       zmm25, zmm25, zmm29
    vpsrld       zmm26, [rax+0x180], 4
    vpandd       zmm26, zmm26, zmm29
    vpsrld       zmm27, [rax+0x1c0], 4
    vpandd       zmm27, zmm27, zmm29
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
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vpandd       zmm24, zmm29, [rax+0x200]
    vpandd       zmm25, zmm29, [rax+0x240]
    vpandd       zmm26, zmm29, [rax+0x280]
    vpandd       zmm27, zmm29, [rax+0x2c0]
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
    vpsrld       zmm24, [rax+0x200], 4
    vpandd       zmm24, zmm24, zmm29
    vpsrld       zmm25, [rax+0x240], 4
    vpandd       zmm25, zmm25, zmm29
    vpsrld       zmm26, [rax+0x280], 4
    vpandd       zmm26, zmm26, zmm29
    vpsrld       zmm27, [rax+0x2c0], 4
    vpandd       zmm27, zmm27, zmm29
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
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vpandd       zmm24, zmm29, [rax+0x300]
    vpandd       zmm25, zmm29, [rax+0x340]
    vpandd       zmm26, zmm29, [rax+0x380]
    vpandd       zmm27, zmm29, [rax+0x3c0]
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
    vpsrld       zmm24, [rax+0x300], 4
    vpandd       zmm24, zmm24, zmm29
    vpsrld       zmm25, [rax+0x340], 4
    vpandd       zmm25, zmm25, zmm29
    vpsrld       zmm26, [rax+0x380], 4
    vpandd       zmm26, zmm26, zmm29
    vpsrld       zmm27, [rax+0x3c0], 4
    vpandd       zmm27, zmm27, zmm29
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
    add          rax, 0x400
    add          rdx, 0x60
    dec          esi
    jne          near L2
    vcvtph2ps    zmm24, [rax]
    vcvtph2ps    zmm25, [rax+0x20]
    vcvtph2ps    zmm26, [rax+0x40]
    vcvtph2ps    zmm27, [rax+0x60]
    vcvtdq2ps    zmm0, zmm0
    vmulps       zmm0, zmm0, zmm24
    vfmadd231ps  zmm12, zmm0, [r8]{1to16}
    vcvtdq2ps    zmm1, zmm1
    vmulps       zmm1, zmm1, zmm25
    vfmadd231ps  zmm13, zmm1, [r8]{1to16}
    vcvtdq2ps    zmm2, zmm2
    vmulps       zmm2, zmm2, zmm26
    vfmadd231ps  zmm14, zmm2, [r8]{1to16}
    vcvtdq2ps    zmm3, zmm3
    vmulps       zmm3, zmm3, zmm27
    vfmadd231ps  zmm15, zmm3, [r8]{1to16}
    vcvtdq2ps    zmm4, zmm4
    vmulps       zmm4, zmm4, zmm24
    vfmadd231ps  zmm16, zmm4, [r8+4]{1to16}
    vcvtdq2ps    zmm5, zmm5
    vmulps       zmm5, zmm5, zmm25
    vfmadd231ps  zmm17, zmm5, [r8+4]{1to16}
    vcvtdq2ps    zmm6, zmm6
    vmulps       zmm6, zmm6, zmm26
    vfmadd231ps  zmm18, zmm6, [r8+4]{1to16}
    vcvtdq2ps    zmm7, zmm7
    vmulps       zmm7, zmm7, zmm27
    vfmadd231ps  zmm19, zmm7, [r8+4]{1to16}
    vcvtdq2ps    zmm8, zmm8
    vmulps       zmm8, zmm8, zmm24
    vfmadd231ps  zmm20, zmm8, [r8+8]{1to16}
    vcvtdq2ps    zmm9, zmm9
    vmulps       zmm9, zmm9, zmm25
    vfmadd231ps  zmm21, zmm9, [r8+8]{1to16}
    vcvtdq2ps    zmm10, zmm10
    vmulps       zmm10, zmm10, zmm26
    vfmadd231ps  zmm22, zmm10, [r8+8]{1to16}
    vcvtdq2ps    zmm11, zmm11
    vmulps       zmm11, zmm11, zmm27
    vfmadd231ps  zmm23, zmm11, [r8+8]{1to16}
    add          r8, 0xc
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
