; Int8.4x3: 1066 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x38]
L1:
    vpbroadcastd zmm0, [r9]
    vpbroadcastd zmm1, [r9]
    vpbroadcastd zmm2, [r9]
    vpbroadcastd zmm3, [r9]
    vpbroadcastd zmm4, [r9+4]
    vpbroadcastd zmm5, [r9+4]
    vpbroadcastd zmm6, [r9+4]
    vpbroadcastd zmm7, [r9+4]
    vpbroadcastd zmm8, [r9+8]
    vpbroadcastd zmm9, [r9+8]
    vpbroadcastd zmm10, [r9+8]
    vpbroadcastd zmm11, [r9+8]
    add          r9, 0xc
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm12, [rax]
    vmovdqu64    zmm13, [rax+0x40]
    vmovdqu64    zmm14, [rax+0x80]
    vmovdqu64    zmm15, [rax+0xc0]
    vpbroadcastd zmm16, [rdx]
    vpdpbusd     zmm0, zmm12, zmm16
    vpdpbusd     zmm1, zmm13, zmm16
    vpdpbusd     zmm2, zmm14, zmm16
    vpdpbusd     zmm3, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+4]
    vpdpbusd     zmm4, zmm12, zmm16
    vpdpbusd     zmm5, zmm13, zmm16
    vpdpbusd     zmm6, zmm14, zmm16
    vpdpbusd     zmm7, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+8]
    vpdpbusd     zmm8, zmm12, zmm16
    vpdpbusd     zmm9, zmm13, zmm16
    vpdpbusd     zmm10, zmm14, zmm16
    vpdpbusd     zmm11, zmm15, zmm16
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm12, [rax+0x100]
    vmovdqu64    zmm13, [rax+0x140]
    vmovdqu64    zmm14, [rax+0x180]
    vmovdqu64    zmm15, [rax+0x1c0]
    vpbroadcastd zmm16, [rdx+0xc]
    vpdpbusd     zmm0, zmm12, zmm16
    vpdpbusd     zmm1, zmm13, zmm16
    vpdpbusd     zmm2, zmm14, zmm16
    vpdpbusd     zmm3, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+0x10]
    vpdpbusd     zmm4, zmm12, zmm16
    vpdpbusd     zmm5, zmm13, zmm16
    vpdpbusd     zmm6, zmm14, zmm16
    vpdpbusd     zmm7, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+0x14]
    vpdpbusd     zmm8, zmm12, zmm16
    vpdpbusd     zmm9, zmm13, zmm16
    vpdpbusd     zmm10, zmm14, zmm16
    vpdpbusd     zmm11, zmm15, zmm16
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm12, [rax+0x200]
    vmovdqu64    zmm13, [rax+0x240]
    vmovdqu64    zmm14, [rax+0x280]
    vmovdqu64    zmm15, [rax+0x2c0]
    vpbroadcastd zmm16, [rdx+0x18]
    vpdpbusd     zmm0, zmm12, zmm16
    vpdpbusd     zmm1, zmm13, zmm16
    vpdpbusd     zmm2, zmm14, zmm16
    vpdpbusd     zmm3, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+0x1c]
    vpdpbusd     zmm4, zmm12, zmm16
    vpdpbusd     zmm5, zmm13, zmm16
    vpdpbusd     zmm6, zmm14, zmm16
    vpdpbusd     zmm7, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+0x20]
    vpdpbusd     zmm8, zmm12, zmm16
    vpdpbusd     zmm9, zmm13, zmm16
    vpdpbusd     zmm10, zmm14, zmm16
    vpdpbusd     zmm11, zmm15, zmm16
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm12, [rax+0x300]
    vmovdqu64    zmm13, [rax+0x340]
    vmovdqu64    zmm14, [rax+0x380]
    vmovdqu64    zmm15, [rax+0x3c0]
    vpbroadcastd zmm16, [rdx+0x24]
    vpdpbusd     zmm0, zmm12, zmm16
    vpdpbusd     zmm1, zmm13, zmm16
    vpdpbusd     zmm2, zmm14, zmm16
    vpdpbusd     zmm3, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+0x28]
    vpdpbusd     zmm4, zmm12, zmm16
    vpdpbusd     zmm5, zmm13, zmm16
    vpdpbusd     zmm6, zmm14, zmm16
    vpdpbusd     zmm7, zmm15, zmm16
    vpbroadcastd zmm16, [rdx+0x2c]
    vpdpbusd     zmm8, zmm12, zmm16
    vpdpbusd     zmm9, zmm13, zmm16
    vpdpbusd     zmm10, zmm14, zmm16
    vpdpbusd     zmm11, zmm15, zmm16
    add          rax, 0x400
    add          rdx, 0x30
    dec          esi
    jne          near L2
    vcvtdq2ps    zmm0, zmm0
    vmovups      zmm12, [r11]
    vfmadd231ps  zmm12, zmm0, [r8]{1to16}
    vmovups      [r11], zmm12
    vcvtdq2ps    zmm1, zmm1
    vmovups      zmm13, [r11+0x40]
    vfmadd231ps  zmm13, zmm1, [r8]{1to16}
    vmovups      [r11+0x40], zmm13
    vcvtdq2ps    zmm2, zmm2
    vmovups      zmm14, [r11+0x80]
    vfmadd231ps  zmm14, zmm2, [r8]{1to16}
    vmovups      [r11+0x80], zmm14
    vcvtdq2ps    zmm3, zmm3
    vmovups      zmm15, [r11+0xc0]
    vfmadd231ps  zmm15, zmm3, [r8]{1to16}
    vmovups      [r11+0xc0], zmm15
    vcvtdq2ps    zmm4, zmm4
    vmovups      zmm12, [r11+0x100]
    vfmadd231ps  zmm12, zmm4, [r8+4]{1to16}
    vmovups      [r11+0x100], zmm12
    vcvtdq2ps    zmm5, zmm5
    vmovups      zmm13, [r11+0x140]
    vfmadd231ps  zmm13, zmm5, [r8+4]{1to16}
    vmovups      [r11+0x140], zmm13
    vcvtdq2ps    zmm6, zmm6
    vmovups      zmm14, [r11+0x180]
    vfmadd231ps  zmm14, zmm6, [r8+4]{1to16}
    vmovups      [r11+0x180], zmm14
    vcvtdq2ps    zmm7, zmm7
    vmovups      zmm15, [r11+0x1c0]
    vfmadd231ps  zmm15, zmm7, [r8+4]{1to16}
    vmovups      [r11+0x1c0], zmm15
    vcvtdq2ps    zmm8, zmm8
    vmovups      zmm12, [r11+0x200]
    vfmadd231ps  zmm12, zmm8, [r8+8]{1to16}
    vmovups      [r11+0x200], zmm12
    vcvtdq2ps    zmm9, zmm9
    vmovups      zmm13, [r11+0x240]
    vfmadd231ps  zmm13, zmm9, [r8+8]{1to16}
    vmovups      [r11+0x240], zmm13
    vcvtdq2ps    zmm10, zmm10
    vmovups      zmm14, [r11+0x280]
    vfmadd231ps  zmm14, zmm10, [r8+8]{1to16}
    vmovups      [r11+0x280], zmm14
    vcvtdq2ps    zmm11, zmm11
    vmovups      zmm15, [r11+0x2c0]
    vfmadd231ps  zmm15, zmm11, [r8+8]{1to16}
    vmovups      [r11+0x2c0], zmm15
    add          r8, 0xc
    dec          ecx
    jne          near L1
    vzeroupper
    ret
