; Int8Group32.2x3: 1041 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x38]
L1:
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
    vpbroadcastd zmm0, [r9]
    vpbroadcastd zmm1, [r9]
    vpbroadcastd zmm2, [r9+4]
    vpbroadcastd zmm3, [r9+4]
    vpbroadcastd zmm4, [r9+8]
    vpbroadcastd zmm5, [r9+8]
    add          r9, 0xc
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    vmovdqu64    zmm12, [rax]
    vmovdqu64    zmm13, [rax+0x40]
    vpbroadcastd zmm14, [rdx]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+4]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+8]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm12, [rax+0x80]
    vmovdqu64    zmm13, [rax+0xc0]
    vpbroadcastd zmm14, [rdx+0xc]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x10]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x14]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    vmovdqu64    zmm12, [rax+0x100]
    vmovdqu64    zmm13, [rax+0x140]
    vpbroadcastd zmm14, [rdx+0x18]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x1c]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x20]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm12, [rax+0x180]
    vmovdqu64    zmm13, [rax+0x1c0]
    vpbroadcastd zmm14, [rdx+0x24]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x28]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x2c]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    vmovdqu64    zmm12, [rax+0x200]
    vmovdqu64    zmm13, [rax+0x240]
    vpbroadcastd zmm14, [rdx+0x30]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x34]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x38]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm12, [rax+0x280]
    vmovdqu64    zmm13, [rax+0x2c0]
    vpbroadcastd zmm14, [rdx+0x3c]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x40]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x44]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    vmovdqu64    zmm12, [rax+0x300]
    vmovdqu64    zmm13, [rax+0x340]
    vpbroadcastd zmm14, [rdx+0x48]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x4c]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x50]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm12, [rax+0x380]
    vmovdqu64    zmm13, [rax+0x3c0]
    vpbroadcastd zmm14, [rdx+0x54]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x58]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x5c]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    add          rax, 0x400
    add          rdx, 0x60
    vcvtph2ps    zmm12, [rax]
    vcvtph2ps    zmm13, [rax+0x20]
    vcvtdq2ps    zmm0, zmm0
    vfmadd231ps  zmm6, zmm0, zmm12
    vcvtdq2ps    zmm1, zmm1
    vfmadd231ps  zmm7, zmm1, zmm13
    vcvtdq2ps    zmm2, zmm2
    vfmadd231ps  zmm8, zmm2, zmm12
    vcvtdq2ps    zmm3, zmm3
    vfmadd231ps  zmm9, zmm3, zmm13
    vcvtdq2ps    zmm4, zmm4
    vfmadd231ps  zmm10, zmm4, zmm12
    vcvtdq2ps    zmm5, zmm5
    vfmadd231ps  zmm11, zmm5, zmm13
    add          rax, 0x40
    dec          esi
    jne          near L2
    vmovups      zmm12, [r11]
    vfmadd231ps  zmm12, zmm6, [r8]{1to16}
    vmovups      [r11], zmm12
    vmovups      zmm13, [r11+0x40]
    vfmadd231ps  zmm13, zmm7, [r8]{1to16}
    vmovups      [r11+0x40], zmm13
    vmovups      zmm12, [r11+0x80]
    vfmadd231ps  zmm12, zmm8, [r8+4]{1to16}
    vmovups      [r11+0x80], zmm12
    vmovups      zmm13, [r11+0xc0]
    vfmadd231ps  zmm13, zmm9, [r8+4]{1to16}
    vmovups      [r11+0xc0], zmm13
    vmovups      zmm12, [r11+0x100]
    vfmadd231ps  zmm12, zmm10, [r8+8]{1to16}
    vmovups      [r11+0x100], zmm12
    vmovups      zmm13, [r11+0x140]
    vfmadd231ps  zmm13, zmm11, [r8+8]{1to16}
    vmovups      [r11+0x140], zmm13
    add          r8, 0xc
    dec          ecx
    jne          near L1
    vzeroupper
    ret
